# On a machine with Python 3.11+ and make:  make demo  shows it,  make test  proves it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m

.PHONY: demo test check lint proof docs clean

demo: $(VENV)/.installed
	$(BIN)/batchgen run manifests/marketing.csv --sandbox
	@echo
	@echo "Look at outputs/marketing-sandbox/report.html in a browser, and at results.csv beside it."

test: $(VENV)/.installed-dev
	$(RUN) pytest -n 2 --dist worksteal

check: lint test

lint: $(VENV)/.installed-dev
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

# The long forms of the proofs in docs/how/reliability.md and docs/how/simulation.md: an hour or two on two cores.
proof: $(VENV)/.installed-dev
	$(BIN)/python tests/whole/proof/long.py
	$(BIN)/python tests/whole/simulation/prove.py --seeds 100000 --jobs 2

# The help texts in docs/use/commands.md are generated; a test says when they are old.
docs: $(VENV)/.installed-dev
	$(BIN)/python tests/docs/help_pages.py docs/use/commands.md

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(RUN) pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(RUN) pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
