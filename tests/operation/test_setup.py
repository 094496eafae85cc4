"""What `make setup` decides, without installing anything."""

from __future__ import annotations

import subprocess

import pytest

from scripts import setup

LOCK = """\
django==5.2.19 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.in
mysqlclient==2.3.1 \\
    --hash=sha256:cc \\
    --hash=sha256:dd
    # via -r requirements.in
mysqlclient-tools==1.0 \\
    --hash=sha256:ee
numpy==2.4.0 ; python_version >= "3.11" \\
    --hash=sha256:ff
"""


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_tested_python_passes(version) -> None:
    setup.check_python(version)


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14), (4, 0)])
def test_another_python_is_told_which_to_install(version) -> None:
    with pytest.raises(setup.SetupError, match=r"3\.11, 3\.12 or 3\.13.*make PYTHON="):
        setup.check_python(version)


def test_one_package_is_taken_out_of_a_lock_with_its_hashes_and_no_other() -> None:
    rest = setup.without_package(LOCK, "mysqlclient")

    assert "mysqlclient==" not in rest
    assert "sha256:cc" not in rest
    assert "sha256:dd" not in rest
    for kept in ("aa", "bb", "ee", "ff"):
        assert f"sha256:{kept}" in rest
    assert rest.count("==") == 3


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_it_is_taken_out_of_the_real_locks(name) -> None:
    lock = (setup.ROOT / name).read_text()
    rest = setup.without_package(lock, "mysqlclient")

    gone = [line for line in lock.splitlines() if line not in rest.splitlines()]
    assert gone[0].startswith("mysqlclient==")
    assert all(line.strip().startswith(("--hash", "#")) for line in gone[1:])


@pytest.fixture
def stamps(tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "STAMPS", tmp_path / "stamps")
    return tmp_path


def test_a_step_is_done_again_only_when_its_inputs_changed(stamps) -> None:
    source = stamps / "lock"
    source.write_text("one")
    done: list[str] = []

    def step() -> None:
        done.append(source.read_text())

    for text in ("one", "one", "two", "two"):
        source.write_text(text)
        setup.once("lock", [source], step)

    assert done == ["one", "two"]


def test_a_step_that_failed_is_done_again(stamps) -> None:
    def failing() -> None:
        raise setup.SetupError("no network")

    with pytest.raises(setup.SetupError):
        setup.once("packages", [], failing)
    done: list[bool] = []
    setup.once("packages", [], lambda: done.append(True))

    assert done == [True]


def test_without_root_it_says_what_to_install_and_installs_nothing(monkeypatch, capsys) -> None:
    monkeypatch.setattr(setup, "is_package_installed", lambda name: name == "gcc")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup, "run", lambda *command, **_: pytest.fail(f"ran {command}"))

    setup.install_system_packages(["gcc", "mariadb-server", "redis-server"])

    assert "sudo apt-get install mariadb-server redis-server\n" in capsys.readouterr().out


def test_with_everything_there_it_is_silent(monkeypatch, capsys) -> None:
    monkeypatch.setattr(setup, "is_package_installed", lambda name: True)

    setup.install_system_packages(["gcc"])

    assert capsys.readouterr().out == ""


def test_a_python_without_venv_says_which_package_brings_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(setup, "BIN", tmp_path / "bin")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    failed = subprocess.CompletedProcess([], 1, "", "ensurepip is not available")
    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(setup.SetupError, match=r"sudo apt-get install python3\.\d+-venv"):
        setup.make_venv()


def test_a_command_that_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(setup.SetupError) as caught:
        setup.run("sh", "-c", "echo no space left >&2; exit 3", quiet=True)

    assert "this failed: sh -c" in str(caught.value)
    assert "no space left" in str(caught.value)


def test_a_command_that_is_not_there_is_an_error_in_one_line() -> None:
    with pytest.raises(setup.SetupError, match="no-such-program is not installed"):
        setup.run("no-such-program", "--version")


CATALOGUE = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: zh_Hans\\n"

#, python-format
msgid "%(n)s people"
msgstr "{translation}"
"""


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    folder = tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    return folder / "django.po"


def test_a_good_catalogue_is_compiled(catalogue) -> None:
    catalogue.write_text(CATALOGUE.replace("{translation}", "%(n)s 人"))

    setup.compile_translations()

    assert "人".encode() in catalogue.with_suffix(".mo").read_bytes()


@pytest.mark.parametrize("translation", ["%(m)s 人", "%(n)d 人"])
def test_a_broken_catalogue_is_named_with_its_line_and_leaves_no_compiled_one(
    catalogue, translation
) -> None:
    catalogue.write_text(CATALOGUE.replace("{translation}", translation))

    with pytest.raises(setup.SetupError, match=r"django\.po:7: "):
        setup.compile_translations()

    assert not catalogue.with_suffix(".mo").exists()
