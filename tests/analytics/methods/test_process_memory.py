from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
HOLDING = """
from analytics.methods.process_memory import peak_mb, resident_mb
print(resident_mb())
held = b"x" * (50 << 20)
print(resident_mb())
del held
print(resident_mb(), peak_mb())
"""


def told(program: str, **environment: str) -> str:
    """What a process says that has done nothing else: others' memory comes and goes."""
    env = {name: value for name, value in os.environ.items() if name != "NUMPY_MADVISE_HUGEPAGE"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**env, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_peak_rises_with_what_is_held_and_stays_when_it_is_let_go() -> None:
    before, holding, after, peak = map(float, told(HOLDING).split())
    assert holding > before + 40
    assert after < before + 40 < peak


def test_a_process_does_not_count_the_memory_of_the_one_that_started_it() -> None:
    held = np.ones(200 * (1 << 20) // 8)
    program = "from analytics.methods.process_memory import peak_mb; print(peak_mb())"
    assert float(told(program)) < 100 < held.nbytes / (1 << 20)


@pytest.mark.parametrize("first", ["livecourse", "bench", "analytics.methods.interactions"])
def test_no_process_waits_for_memory_to_be_put_together(first) -> None:
    program = f"import {first}, numpy; print(numpy._core.multiarray._get_madvise_hugepage())"
    assert told(program).strip() == "False"


def test_who_wants_huge_pages_gets_them() -> None:
    program = "import livecourse, numpy; print(numpy._core.multiarray._get_madvise_hugepage())"
    assert told(program, NUMPY_MADVISE_HUGEPAGE="1").strip() == "True"
