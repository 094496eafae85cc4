"""A module of ours is one file to a browser, by whichever way it comes to it."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from livecourse.static_storage import ModulesStorage

SOURCES = Path(settings.BASE_DIR, "static")


def test_imports_name_the_files_as_they_are_served(tmp_path) -> None:
    storage = ModulesStorage(location=str(tmp_path), base_url="/static/")
    source = FileSystemStorage(location=str(SOURCES))
    names = [f"js/{file.name}" for file in SOURCES.glob("js/*.js")]
    for name in names:
        storage.save(name, source.open(name))

    failed = [
        error
        for _name, _new, error in storage.post_process({name: (storage, name) for name in names})
        if isinstance(error, Exception)
    ]

    assert failed == []
    served = storage.hashed_files
    imported = set()
    for name in names:
        text = (tmp_path / served[name]).read_text()
        for target in re.findall(r"""^import .*?["']\./([^"']+)["'];$""", text, re.MULTILINE):
            assert f"js/{target}" in served.values(), f"{name} imports {target}"
            imported.add(target)
    assert len(imported) > 3
