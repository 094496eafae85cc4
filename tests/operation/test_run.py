"""`make run` without make: the whole platform, from an empty folder to Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from scripts import run
from tests.operation.processes import ROOT, environment, eventually, started
from tests.servers import free_port

RUN = [sys.executable, "scripts/run.py"]


def processes_with(text: str) -> list[int]:
    """The living processes in whose environment `text` stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = text.encode() in (folder / "environ").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if is_ours:
            found.append(int(folder.name))
    return found


def test_it_serves_a_sample_market_and_leaves_nothing_after_ctrl_c(tmp_path) -> None:
    log, port = tmp_path / "log", free_port()
    env = environment(
        tmp_path, PORT=str(port), SAMPLE_MARKET="--users 60 --courses 40 --sessions 20"
    )
    del env["SECRET_KEY"], env["USE_TLS"], env["LOG_LEVEL"]
    site = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{site}/healthz", timeout=10).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    with started(RUN, env=env, log=log) as process:
        eventually(answers, what="/healthz answers", log=log)
        assert requests.get(f"{site}/", timeout=30).status_code == 200
        assert requests.get(f"{site}/courses/", timeout=30).status_code == 200
        assert requests.get(f"{site}/readyz", timeout=30).json()["broker"] == "ok"
        assert "livecourse_live_processes" in requests.get(f"{site}/metrics", timeout=30).text
        with connect(f"ws://127.0.0.1:{port}/ws/live/{2**62}/", origin=site) as viewer:
            viewer.send('{"type":"hello","visit":"b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10"}')
            with pytest.raises(ConnectionClosed, match="4404"):
                viewer.recv(timeout=30)
        second = subprocess.run(
            RUN,
            cwd=ROOT,
            env={**env, "PORT": str(free_port())},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)

    said = log.read_text()
    assert code == 0, said
    assert f"run: starting {site}/" in said
    assert "operator@livecourse.example" in said
    assert said.rstrip().endswith("run: stopped")
    assert "SIGKILL" not in said
    assert processes_with(f"VAR_DIR={tmp_path}\0") == []
    # Secrets are for the owner alone.
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0
    # A second one beside it would have shared its files.
    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert "it is running already" in second.stderr


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "80 80", "８０００"])
def test_a_port_that_is_none_is_named_before_anything_starts(tmp_path, port) -> None:
    with pytest.raises(run.RunError, match="PORT must be a number from 1 to 65535"):
        run.chosen_port(port)


def test_a_port_in_use_is_one_line_before_anything_starts(tmp_path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            RUN,
            cwd=ROOT,
            env=environment(tmp_path, PORT=str(port)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"run: port {port} is in use; try PORT={port + 1} make run"]
    assert list(tmp_path.iterdir()) == []


def test_what_the_operator_sets_is_left_as_it_is(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", "k" * 50)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.delenv("USE_TLS", raising=False)

    env = run.local_environment()

    assert (env["SECRET_KEY"], env["LOG_LEVEL"], env["USE_TLS"]) == ("k" * 50, "DEBUG", "0")


def test_the_secret_key_stays_the_same_from_start_to_start(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.delenv("SECRET_KEY", raising=False)

    first, second = run.local_environment(), run.local_environment()

    assert len(first["SECRET_KEY"]) >= 40
    assert first["SECRET_KEY"] == second["SECRET_KEY"]


def test_all_processes_share_one_folder_wherever_they_start(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAR_DIR", "here")

    assert run.local_environment()["VAR_DIR"] == str(tmp_path / "here")


def test_a_database_that_cannot_be_reached_is_one_line(tmp_path) -> None:
    env = environment(
        tmp_path,
        PORT=str(free_port()),
        LOG_LEVEL="WARNING",
        DATABASE_URL=f"mysql://u:p@127.0.0.1:{free_port()}/nowhere",
    )
    done = subprocess.run(
        RUN, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1" in done.stderr
