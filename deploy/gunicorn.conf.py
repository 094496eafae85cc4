"""The web server: processes for cores, threads for waiting."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from typing import Any

workers = int(os.environ.get("WEB_PROCESSES", "2"))
# More threads of one process wait for the interpreter more than they wait for the database: 8 were
# some 5 % slower in `make bench` than 4. More are worth it where payment vendors answer slowly.
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
timeout = 30
graceful_timeout = 20
# Fresh processes now and then keep a slow leak from growing into an outage.
max_requests = 20_000
max_requests_jitter = 2_000
# It lies in the home folder under one name, which a second server there would take away.
control_socket_disable = True

# /metrics sums over the processes by files in this folder; set before they load the platform.
_counters = tempfile.mkdtemp(prefix="livecourse-counters-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counters


def post_worker_init(worker: Any) -> None:
    """Let the collector of cycles pass over what lives as long as the process, and run less often.

    A request makes thousands of objects and hardly a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def child_exit(server: Any, worker: Any) -> None:
    """Take a process that ended out of the gauges of those that live."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    shutil.rmtree(_counters, ignore_errors=True)
