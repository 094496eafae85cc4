"""`make video` writes what nginx takes, wherever the folders are, and keeps its secret."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

from tests.conftest import missing
from tests.operation.processes import ROOT, environment
from tests.servers import ServerMissing, program


def configured(folder: Path, **more: str) -> tuple[subprocess.CompletedProcess, str]:
    """What nginx says of the configuration, and the configuration."""
    try:
        program("nginx", package="nginx libnginx-mod-rtmp")
    except ServerMissing as error:
        missing(str(error))
    done = subprocess.run(
        [sys.executable, "scripts/video.py", "-t"],
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, (folder / "video" / "nginx.conf").read_text()


def test_nginx_takes_the_configuration_also_in_a_folder_with_blanks(tmp_path) -> None:
    folder = tmp_path / "My Courses"
    folder.mkdir()

    done, text = configured(folder)

    assert done.returncode == 0, done.stderr
    assert "@" not in text.replace("@ signs", "").replace("@unheard", "")
    mode = (folder / "video" / "nginx.conf").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_the_secret_goes_to_the_platform_alone(tmp_path) -> None:
    done, text = configured(
        tmp_path, SITE_URL="https://courses.example.com", PLATFORM_URL="https://localhost:8443"
    )

    assert done.returncode == 0, done.stderr
    assert "proxy_ssl_verify on;" in text
    assert "proxy_set_header Host courses.example.com;" in text
    [secret] = [line.split('"')[1] for line in text.splitlines() if "Authorization" in line]
    assert secret.removeprefix("Bearer ") not in done.stdout + done.stderr


def test_without_ffmpeg_the_picture_is_passed_on_as_it_comes(tmp_path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    (tools / "nginx").symlink_to(nginx or missing("nginx is not installed"))

    done, text = configured(tmp_path, PATH=str(tools))

    assert done.returncode == 0, done.stderr
    assert "push rtmp://127.0.0.1:1935/hls;" in text
    assert "exec_push" not in text
    assert "recorder" not in text
