# On a machine with Python 3.11+ and make:  make demo  shows it,  make test  proves it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
PYTEST := $(RUN) pytest -n 2 --dist worksteal
# What the quick lane leaves to `make test`: whole runs, kills, servers, browsers, offices, and long properties.
SLOW := tests/whole tests/cli tests/running/test_metrics.py tests/videos tests/sandbox tests/service/test_faults.py \
    tests/service/test_against_the_sandbox.py tests/service/test_transport.py tests/service/test_tls.py \
    tests/ledger/test_model.py tests/ledger/test_spill.py tests/planning/test_intake.py \
    tests/planning/test_killed_while_taking_in.py tests/running/pacing/test_pacing_schedule.py \
    tests/check/test_round_trip.py tests/check/test_quick_equals_careful.py tests/manifest/test_sources.py

.PHONY: help demo quick test proof check lint fix docs clean

help:  ## What there is to make.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1\t/' \
	    | while IFS="$$(printf '\t')" read -r name what; do printf 'make %-6s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.installed  ## 30 videos from an example spreadsheet, in the sandbox: no key, no money, no network.
	$(BIN)/batchgen run manifests/marketing.csv --sandbox
	@echo
	@echo "Look at outputs/marketing-sandbox/report.html in a browser, and at results.csv beside it."

quick: $(VENV)/.installed-dev  ## The tests of a minute: no whole runs, kills, simulation, browser or office.
	$(PYTEST) -q -m "not browser and not office" --hypothesis-profile=quick $(addprefix --ignore=,$(SLOW)) tests

test: $(VENV)/.installed-dev  ## All tests; make test T=tests/ledger for some.
	$(PYTEST) $(T)

proof: $(VENV)/.installed-dev  ## The long forms of the proofs: an hour or two on two cores.
	$(BIN)/python tests/whole/proof/long.py
	$(BIN)/python tests/whole/simulation/prove.py --seeds 100000 --jobs 2

check: lint test  ## make lint and make test.

lint: $(VENV)/.installed-dev  ## Formatting, style, types; changes nothing.
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

fix: $(VENV)/.installed-dev  ## Put right what a tool can: formatting, imports, the pages that are made.
	$(RUN) ruff check --fix --quiet . || true
	$(RUN) ruff format --quiet .
	$(MAKE) --no-print-directory docs

docs: $(VENV)/.installed-dev  ## Write docs/use/commands.md and docs/how/house.svg again; a test says when they are old.
	$(BIN)/python tests/docs/help_pages.py docs/use/commands.md
	$(BIN)/python tools/house.py docs/how/house.svg

clean:  ## Take away .venv and what was built.
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(RUN) pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(RUN) pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
