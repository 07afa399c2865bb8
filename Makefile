# make run [HOST=127.0.0.1] [PORT=8501]   start Imbalance Lab; a taken PORT moves to the next free one, HOST=0.0.0.0 shares it
# make test                               every check but the long ones: ruff, mypy, unit and page tests, and some browser tests
# make test-long                          the checks that take long: most browser tests, fuzzing, methods on a pretend accelerator
# Each makes .venv and installs into it what has changed since the last time.

PYTHON ?= python3
# Not `?=`: a shell's own HOST or PORT must not decide who may connect.
HOST = 127.0.0.1
PORT = 8501

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check
# Without the compiled files that the variable forbids, each of hundreds of processes that tests start compiles all it imports.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest -rfEs
# A worker takes tests that follow each other, so that a file's fixtures are made once.
AT_ONCE := -n 2 --dist worksteal
# A worker takes a file whole, in the order of collection: its tests share an engine or a database.
FILES_AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-long lint clean

run: $(VENV)/.installed
	@$(PY) -m engine fetch keel || echo "Starting without the KEEL data: the other datasets are there."
	@exec $(PY) -m app.launch --host "$(HOST)" --port "$(PORT)"

test: lint
	@$(PY) -m engine fetch keel || echo "Testing without the KEEL data: tests that need them are skipped."
	@failed=0; \
	$(PYTEST) $(AT_ONCE) -m "not long and not alone" --junitxml=out/tests.xml || failed=1; \
	$(PYTEST) -m "alone and not long" --junitxml=out/tests-alone.xml || failed=1; \
	exit $$failed

test-long: $(VENV)/.installed-test
	@failed=0; \
	$(PYTEST) $(AT_ONCE) -m "long and not alone" --junitxml=out/tests-long.xml || failed=1; \
	$(PYTEST) $(FILES_AT_ONCE) -m "long and beside" --junitxml=out/tests-long-beside.xml || failed=1; \
	$(PYTEST) -m "long and alone and not beside" --junitxml=out/tests-long-alone.xml || failed=1; \
	exit $$failed

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

$(VENV)/.installed-test: requirements-test.txt requirements-postgres.txt requirements-ray.txt $(VENV)/.installed
	@$(PIP) --quiet -r requirements-test.txt
	@touch $@
