"""What an operator copies from deploy/ and reads in the guide fits the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from scripts import run
from tests.operation.processes import BIN, ROOT, environment

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def sample_environment() -> dict[str, str]:
    lines = (ROOT / "deploy" / "livecourse.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_of_the_sample_is_one_that_the_settings_read() -> None:
    read = set(
        re.findall(r'env(?:\.\w+)?\(\s*"(\w+)"', (ROOT / "livecourse/settings.py").read_text())
    )

    assert set(sample_environment()) - read == set()


def test_the_sample_filled_in_passes_the_deployment_check(tmp_path) -> None:
    sample = {
        **sample_environment(),
        "SECRET_KEY": environment(tmp_path)["SECRET_KEY"],
        "VAR_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [f"{BIN}/python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**environment(tmp_path), "USE_TLS": "1", **sample},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_program_that_set_up_installs(unit) -> None:
    [command] = re.findall(r"(?m)^ExecStart=/srv/livecourse/(\S+)", unit.read_text())

    assert (ROOT / command).exists() or (BIN / Path(command).name).exists()


def test_there_is_a_unit_for_web_sockets_video_worker_and_scheduler() -> None:
    assert [unit.stem for unit in UNITS] == [
        "livecourse-beat",
        "livecourse-sockets",
        "livecourse-video",
        "livecourse-web",
        "livecourse-worker",
    ]


def test_the_proxy_passes_on_no_counters_and_no_address_that_a_client_made_up() -> None:
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()

    assert "location = /metrics { return 404; }" in nginx
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "$proxy_add_x_forwarded_for" not in nginx


def test_the_proxy_leads_sockets_to_where_their_unit_listens() -> None:
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()
    unit = (ROOT / "deploy" / "systemd" / "livecourse-sockets.service").read_text()
    (location,) = re.findall(r"location /ws/ \{(.*?)\n    \}", nginx, re.DOTALL)

    assert "proxy_set_header Upgrade $http_upgrade;" in location
    assert re.findall(r"proxy_pass http://127.0.0.1:(\d+);", location) == re.findall(
        r"--port (\d+)", unit
    )


def test_sockets_are_served_alike_by_make_run_and_by_their_unit() -> None:
    unit = (ROOT / "deploy" / "systemd" / "livecourse-sockets.service").read_text()
    command = " ".join(run.web_command(8001)[1:])

    for option in ("--ws", "--ws-per-message-deflate", "--ws-max-size", "--loop"):
        (wanted,) = re.findall(rf"{option} \S+", command)
        assert wanted in unit


def test_the_guide_names_every_background_job() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()

    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert f"`{entry['task']}`" in guide
