# make book · make test · make shops · make bench · make clean. Each makes .venv from requirements.lock
# by itself.
SHELL := /bin/bash
PYTHON ?= python3
SCALE ?= sample
NAME ?= $(SCALE)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help book test shops bench notebooks lint clean
.DEFAULT_GOAL := help

help:
	@echo "make book    the study on the simulated store, rendered (SCALE=classroom|sample|book)"
	@echo "make test    the tests, with a whole run at classroom scale"
	@echo "make shops   the chapters on the real shops' logs in PRECMARK_DATA, against stored aggregates"
	@echo "make bench   the benchmarks, into benchmarks/results/"
	@echo "make clean   remove .venv, runs and caches"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	  "precmark needs Python 3.11, 3.12 or 3.13, not %d.%d: make PYTHON=python3.12 ..." % v)'
	@echo "Installing into $(VENV) (a few minutes, once) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

book: $(READY)
	$(BIN)/precmark run --simulate $(SCALE) --name $(NAME)
	$(BIN)/precmark book $(NAME)

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

shops: $(READY)
	$(BIN)/python -m pytest -o addopts= -ra --strict-markers -m shops tests

bench: $(READY)
	$(BIN)/python -m benchmarks

# For maintainers: the chapters' stored outputs, from the sample run.
notebooks: book
	$(BIN)/precmark store $(NAME)

lint: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs .precmark-cache .snakemake .pytest_cache .ruff_cache .hypothesis *.egg-info
