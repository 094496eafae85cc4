"""A model file is read when its run vouches for it, and nothing in it is ever run."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analytics import model_files
from analytics.methods.model_arrays import BadArrays
from analytics.methods.served_model import ServedModel
from analytics.model_files import BadModelFile, drop_old_files, load_arrays, save_arrays
from analytics.models import ModelRun
from tests.analytics.models_of import served_model
from tests.factories import CourseFactory, ModelRunFactory

pytestmark = pytest.mark.django_db

MARK = "was-run"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    return settings.MODELS_DIR


@pytest.fixture
def run() -> ModelRun:
    return served_model([CourseFactory(), CourseFactory()], after={0: {1: 0.5}})


def path_of(run: ModelRun, folder: Path) -> Path:
    return folder / run.model_file


def vouched(run: ModelRun, folder: Path, content: bytes) -> None:
    """Put other content under a name and a checksum that the run knows: the worst that somebody
    who can write to the folder and to the database can do."""
    run.model_sha256 = hashlib.sha256(content).hexdigest()
    run.model_file = f"recommend-{run.pk}-{run.model_sha256[:16]}.npz"
    path_of(run, folder).write_bytes(content)


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy_header(shape: tuple[int, ...]) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def test_what_was_saved_is_loaded(run, folder) -> None:
    arrays = load_arrays(run)
    assert ServedModel(arrays).n_items == 2
    assert path_of(run, folder).stat().st_mode & 0o777 == 0o640
    assert hashlib.sha256(path_of(run, folder).read_bytes()).hexdigest() == run.model_sha256


UNREADABLE: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda mark: b"",
    "text": lambda mark: b"no archive at all",
    "a pickle": lambda mark: pickle.dumps(Bomb(mark)),
    "an array of objects": lambda mark: npz(a=np.array([Bomb(mark)], dtype=object)),
    "a pickle in an archive": lambda mark: zipped(**{"a.npy": pickle.dumps(Bomb(mark))}),
    "half an archive": lambda mark: npz(a=np.arange(1000))[:700],
    "an array of no type": lambda mark: zipped(**{"a.npy": b"\x93NUMPY\x01\x00\x02\x00{}"}),
    "an array larger than memory": lambda mark: zipped(**{"a.npy": npy_header((1 << 50,))}),
    "an array with less than it says": lambda mark: zipped(**{"a.npy": npy_header((1000,))}),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_holds_no_arrays_is_refused(run, folder, kind, tmp_path) -> None:
    mark = tmp_path / MARK
    vouched(run, folder, UNREADABLE[kind](mark))
    with pytest.raises(BadModelFile):
        load_arrays(run)
    assert not mark.exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(run, folder, monkeypatch) -> None:
    monkeypatch.setattr(model_files, "MOST_BYTES", 1 << 20)
    vouched(run, folder, zipped(**{"a.npy": npy_header((1 << 22,)) + bytes(1 << 25)}))
    with pytest.raises(BadModelFile, match="unpacks to more"):
        load_arrays(run)


def test_a_file_that_is_too_large_is_not_read(run, folder, monkeypatch) -> None:
    monkeypatch.setattr(model_files, "MOST_BYTES", 100)
    with pytest.raises(BadModelFile, match="larger than"):
        load_arrays(run)


def test_another_checksum_is_refused_before_anything_is_read(run, folder, tmp_path) -> None:
    mark = tmp_path / MARK
    path_of(run, folder).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(BadModelFile, match="wrong checksum"):
        load_arrays(run)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["", "../secret.npz", "/etc/passwd", "recommend-1-0123456789abcdef.npz/..", "a.npz"]
)
def test_a_name_that_is_none_of_ours_is_refused(run, name) -> None:
    run.model_file = name
    with pytest.raises(BadModelFile):
        load_arrays(run)


def test_a_link_is_not_followed(run, folder, tmp_path) -> None:
    other = tmp_path / "elsewhere.npz"
    path_of(run, folder).rename(other)
    path_of(run, folder).symlink_to(other)
    with pytest.raises(BadModelFile):
        load_arrays(run)


def test_a_missing_file_is_said_to_be_missing(run, folder) -> None:
    path_of(run, folder).unlink()
    with pytest.raises(BadModelFile, match="No such file"):
        load_arrays(run)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rows_data", lambda a: a * np.nan),
        ("rows_indices", lambda a: a + 7),
        ("rows_indptr", lambda a: a[:-1]),
        ("block_start", lambda a: a + 1),
        ("course_ids", lambda a: a[::-1]),
        ("popular", lambda a: a.astype(str)),
        ("format", lambda a: a + 1),
    ],
)
def test_arrays_that_make_no_model_are_refused_by_name(run, name, change) -> None:
    arrays = load_arrays(run)
    with pytest.raises(BadArrays, match=name.split("_")[0]):
        ServedModel({**arrays, name: change(arrays[name])})


def test_arrays_of_objects_are_not_even_written(run, folder) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match="pickle"):
        save_arrays(run, {"a": np.array([object()], dtype=object)})
    assert sorted(folder.iterdir()) == before


def test_a_full_disk_leaves_no_half_file(run, folder) -> None:
    """The limit of a file's size stands for the disk: writing stops in the middle."""
    before = sorted(folder.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            save_arrays(run, {"a": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(folder.iterdir()) == before


def test_the_last_five_served_models_are_kept_and_nothing_else(folder) -> None:
    runs = []
    for _ in range(7):
        run = ModelRunFactory()
        save_arrays(run, {"a": np.array([run.pk])})
        run.save()
        runs.append(run)
    (folder / ".writing-left").write_bytes(b"half")
    (folder / "notes.txt").write_text("somebody else's")
    drop_old_files()
    kept = {path.name for path in folder.iterdir()}
    assert kept == {*(run.model_file for run in runs[2:]), "notes.txt"}


def test_the_served_model_is_kept_however_old(folder) -> None:
    first = ModelRunFactory()
    save_arrays(first, {"a": np.array([1])})
    first.save()
    for _ in range(6):
        run = ModelRunFactory(served=False)
        save_arrays(run, {"a": np.array([run.pk])})
        run.save()
    drop_old_files()
    assert (folder / first.model_file).exists()
