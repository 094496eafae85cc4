"""Files that only their owner gets: kept where no address leads, under names that say nothing."""

from __future__ import annotations

import os
import secrets
from pathlib import PurePosixPath
from typing import NoReturn

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.deconstruct import deconstructible

# What a lesson's file may be, by its extension, and what a browser is told that it is.
CONTENT_TYPES = {
    "pdf": "application/pdf",
    "epub": "application/epub+zip",
    "mobi": "application/x-mobipocket-ebook",
    "azw3": "application/vnd.amazon.ebook",
    "zip": "application/zip",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
UNKNOWN_TYPE = "application/octet-stream"
RANDOM_BYTES = 16


def extension_of(name: str) -> str:
    """The extension in lower case without its dot; empty for one that is not in CONTENT_TYPES."""
    extension = PurePosixPath(name).suffix.lower().removeprefix(".")
    return extension if extension in CONTENT_TYPES else ""


@deconstructible(path="catalog.private_files.PrivateFiles")
class PrivateFiles(FileSystemStorage):
    """Files below PRIVATE_ROOT, which have no public address.

    A file is named by chance: of what its uploader called it, only a known extension stays.
    The group of the platform's user may read it, so that a web server can be told to send it.
    """

    def __init__(self) -> None:
        super().__init__(file_permissions_mode=0o640, directory_permissions_mode=0o750)

    @property
    def base_location(self) -> str:  # type: ignore[override]
        return str(settings.PRIVATE_ROOT)

    @property
    def location(self) -> str:  # type: ignore[override]
        return os.path.abspath(self.base_location)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """A new name in the folder of the given one; `max_length` is far from being reached."""
        extension = extension_of(name)
        by_chance = secrets.token_hex(RANDOM_BYTES) + (f".{extension}" if extension else "")
        return super().get_available_name(
            str(PurePosixPath(name.replace("\\", "/")).with_name(by_chance)), max_length
        )

    def url(self, name: str | None) -> NoReturn:
        raise ValueError("A private file has no address; see catalog/downloads.py.")


def private_storage() -> Storage:
    """The storage of files that are sold."""
    return PrivateFiles()
