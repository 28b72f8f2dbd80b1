# Likeness: `make demo` and `make test` do everything on a machine that has Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.likeness-installed

.PHONY: help setup demo test check format bench lock samples clean
help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Likeness needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "· creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "· installing what requirements.lock names (about 7 GB with torch; quick the second time)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

setup: $(STAMP)  ## create the environment and everything in it
demo: $(STAMP)   ## the main job end to end on real embedded services; Ctrl-C stops everything
	@$(BIN)/likeness demo
test: $(STAMP)   ## all tests, with real PostgreSQL, Kafka, Prefect and S3
	@$(BIN)/python -m pytest
check: $(STAMP)  ## format, lint, types, import directions, spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/typos
format: $(STAMP) ## write the format that check wants
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
bench: $(STAMP)  ## the measures of docs/benchmarks.md, side by side
	@$(BIN)/python -m benchmarks
lock: $(BIN)/uv  ## resolve requirements.lock anew: names, versions and hashes only
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock
clean:           ## remove the environment and the state folder
	rm -rf $(VENV) .likeness
