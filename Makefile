# make run [HOST=127.0.0.1] [PORT=8501]   start Imbalance Lab; a taken PORT moves to the next free one, HOST=0.0.0.0 shares it
# make test                               every check but the long ones: ruff, mypy, unit, page and browser tests
# make test-long                          the checks that take long: every method's conformance suite on a pretend accelerator
# Each makes .venv and installs into it what has changed since the last time.

PYTHON ?= python3
# Not `?=`: a shell's own HOST or PORT must not decide who may connect.
HOST = 127.0.0.1
PORT = 8501

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check
PYTEST := $(PY) -m pytest -rfEs

.PHONY: run test test-long lint clean

run: $(VENV)/.installed
	@$(PY) -m engine fetch keel || echo "Starting without the KEEL data: the other datasets are there."
	@exec $(PY) -m app.launch --host "$(HOST)" --port "$(PORT)"

test: lint
	@$(PY) -m engine fetch keel || echo "Testing without the KEEL data: tests that need them are skipped."
	@failed=0; \
	$(PYTEST) -n 2 -m "not long and not alone" || failed=1; \
	$(PYTEST) -m "alone and not long" || failed=1; \
	exit $$failed

test-long: $(VENV)/.installed-test
	$(PYTEST) -m long

lint: $(VENV)/.installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find app engine tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Imbalance Lab needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make a virtual environment; on Debian, install python3-venv." >&2; exit 1; }
	@touch $@

$(VENV)/.installed: requirements.txt requirements-page.txt requirements-engine.txt $(VENV)/.made
	@echo "Installing what Imbalance Lab needs into $(VENV); the first time takes some minutes."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-test: requirements-test.txt requirements-postgres.txt $(VENV)/.installed
	@$(PIP) --quiet -r requirements-test.txt
	@touch $@
