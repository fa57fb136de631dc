# Infomail: `make` lists what there is. A virtual environment is made in .venv; nothing else is installed
# but, by `make services`, the real servers that tests use as peers.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := postgresql postfix dovecot-imapd dovecot-lmtpd dovecot-sieve opendkim rspamd chromium fonts-liberation

.PHONY: help demo serve test kills lint types bench faults services install requirements clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo ## The main job, by itself: from feeds to an inbox, in ./demo
	$(BIN)/infomail demo --dir demo

serve: $(VENV)/demo ## Answer the links that the demo mailed
	cd demo && ../$(BIN)/infomail serve

test: install services ## All tests; installs what they need where apt-get is at hand
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

kills: install ## Kill the intake two hundred times around its 250, and look whether a mail is lost
	INFOMAIL_KILLS=200 $(BIN)/python -m pytest tests/flow/test_killed_around_the_250.py

lint: install ## Mend the formatting, and say what cannot be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: install ## Check the types
	$(BIN)/mypy

bench: install services ## How fast a send is, beside others in the same run (half an hour; MORE=--quick: minutes)
	$(BIN)/python -m bench.send $(MORE)

faults: install services ## Whether anything gets lost: the long table of faults (an hour; MORE=--short: minutes)
	$(BIN)/python -m bench.crash $(MORE)

install: $(VENV)/dev ## Everything for development, into .venv

services: ## Install the servers that tests need (Debian); elsewhere their tests say what is missing
	@bash scripts/services $(SERVICES)

requirements: install ## Pin the requirements anew
	$(BIN)/pip install --quiet uv
	bash scripts/requirements $(BIN)/uv

clean: ## Remove what was built; keeps ./demo
	rm -rf $(VENV) build dist mailer/web/static/vendor .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# run time only, as an operator installs it; what building takes lies apart, so that nothing else sees it
$(VENV)/demo: requirements/run.txt requirements/build.txt pyproject.toml hatch_build.py | $(VENV)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --upgrade --target $(VENV)/build -r requirements/build.txt
	PYTHONPATH=$(VENV)/build $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/demo
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	@touch $@
