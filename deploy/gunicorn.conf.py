"""The web server: processes for cores, threads for waiting."""

import os

workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_class = "gthread"
timeout = 30
graceful_timeout = 20
# Fresh processes now and then keep a slow leak from growing into an outage.
max_requests = 20_000
max_requests_jitter = 2_000
