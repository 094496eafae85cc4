from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from analytics.methods.process_memory import peak_mb, resident_mb

ROOT = Path(__file__).resolve().parents[3]


def test_the_peak_rises_with_what_is_held_and_stays_when_it_is_let_go() -> None:
    before = resident_mb()
    held = np.ones(50 * (1 << 20) // 8)
    assert resident_mb() > before + 40
    del held
    assert resident_mb() < before + 40 < peak_mb()


def test_a_process_does_not_count_the_memory_of_the_one_that_started_it() -> None:
    held = np.ones(200 * (1 << 20) // 8)
    program = "from analytics.methods.process_memory import peak_mb; print(peak_mb())"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(told.stdout) < 100 < held.nbytes / (1 << 20)
