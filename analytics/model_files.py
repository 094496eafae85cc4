"""Models in files: arrays alone, never code, and only what its model run vouches for is read."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from django.conf import settings

from analytics.models import ModelRun, Task

# Models of this many served runs are kept, to go back to.
KEPT = 5
# A model of 10,000 courses with 1,000 neighbours each is some 100 MB.
MOST_BYTES = 1 << 30
_NAME = re.compile(r"[a-z]+-\d+-[0-9a-f]{16}\.npz")


class BadModelFile(Exception):
    """A model file that is missing, damaged, or not the one that its run wrote."""


def save_arrays(run: ModelRun, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to a file of the run and note its name and checksum on the run.

    The file is there whole or not at all: it gets its name when all of it is on the disk. The
    caller saves the run. Raises OSError where the disk does not take it.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    content = buffer.getbuffer()
    checksum = hashlib.sha256(content).hexdigest()
    name = f"{run.task}-{run.pk}-{checksum[:16]}.npz"
    folder = _folder()
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Web processes may run as another user of the same group.
        Path(temporary).chmod(0o640)
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    run.model_file, run.model_sha256 = name, checksum


def load_arrays(run: ModelRun) -> dict[str, np.ndarray]:
    """The arrays of the run's file. Raises BadModelFile.

    Nothing of the content is looked at before its checksum is that of the run, and objects are
    never unpacked.
    """
    if not _NAME.fullmatch(run.model_file):
        raise BadModelFile(f"run #{run.pk} has no model file with a proper name")
    path = _folder() / run.model_file
    try:
        # A link could lead anywhere.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            if os.fstat(handle).st_size > MOST_BYTES:
                raise BadModelFile(f"{run.model_file} is larger than {MOST_BYTES} bytes")
            content = file.read()
    except OSError as error:
        raise BadModelFile(f"{run.model_file}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != run.model_sha256:
        raise BadModelFile(f"{run.model_file} is not what run #{run.pk} wrote: wrong checksum")
    return read_arrays(content, name=run.model_file)


def read_arrays(content: bytes, *, name: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, which may unpack to MOST_BYTES at most. Raises BadModelFile."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            if sum(member.file_size for member in members.infolist()) > MOST_BYTES:
                raise BadModelFile(f"{name} unpacks to more than {MOST_BYTES} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise BadModelFile(f"{name} holds no arrays: {error}") from error
    for key, value in found.items():
        # What is no array comes as it stands in the archive.
        if not isinstance(value, np.ndarray):
            raise BadModelFile(f"{name}: {key} is no array")
    return found


def drop_old_files() -> None:
    """Remove files that no served run of the last KEPT needs, and what a killed fit left behind.

    To be called by who holds the lock of the task, as a fit is writing nowhere else then.
    """
    runs = ModelRun.objects.filter(task=Task.RECOMMEND).exclude(model_file="")
    served = runs.filter(servedrun__isnull=False).values_list("model_file", flat=True)
    newest = runs.filter(outcome="served").order_by("-pk").values_list("model_file", flat=True)
    kept = {*served, *newest[:KEPT]}
    for path in _folder().iterdir():
        is_ours = _NAME.fullmatch(path.name) or path.name.startswith(".writing-")
        if is_ours and path.name not in kept:
            path.unlink(missing_ok=True)


def _folder() -> Path:
    folder = Path(settings.MODELS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
