# The two commands that matter: `make run` and `make test`.
# The first of these that starts and is new enough: a name on PATH may belong to a version
# manager that has no such version. Where none fits, set-up says what to install.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; exit; }; done; echo python3)
PY = .venv/bin/python

.PHONY: setup run video test check bench lock

setup:
	@$(PYTHON) scripts/setup.py

run: setup
	@$(PY) scripts/run.py

video: setup
	@$(PY) scripts/video.py

test:
	@$(PYTHON) scripts/setup.py --test
	@$(PY) scripts/check.py
	@$(PY) scripts/test.py

check:
	@$(PYTHON) scripts/setup.py --test
	@$(PY) scripts/check.py

bench:
	@$(PYTHON) scripts/setup.py --test
	@$(PY) -m bench

lock:
	@$(PY) -m pip install --quiet uv==0.13.9
	@.venv/bin/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.txt
	@.venv/bin/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header requirements-dev.in -o requirements-dev.txt
