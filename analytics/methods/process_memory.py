"""How much memory this process takes, in MB of 2^20 bytes."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_mb() -> float:
    """The largest resident memory of the process since it started its program.

    Where Linux tells it: rusage would begin with that of the process which started this one.
    """
    if _STATUS.exists():
        return _status_kb("VmHWM") / 1024
    return _rusage_mb()


def resident_mb() -> float:
    """The resident memory now; where only the largest so far is known, that."""
    if _STATUS.exists():
        return _status_kb("VmRSS") / 1024
    return _rusage_mb()


def _status_kb(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"{_STATUS} does not tell {name}")
    return int(found[1])


def _rusage_mb() -> float:
    # Linux counts in kB, macOS in bytes.
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
