# The verbs of this repository; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
LAB := PYTHONPATH=lab $(PY) -m akeso_lab
COMPILE := $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header \
  --no-emit-index-url
NAME ?= lab
TIER ?= node
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: $(STAMP) ## install what is locked into .venv (done by every verb that needs it)

$(STAMP): requirements.lock pyproject.toml
	@echo "Installing the locked packages into $(VENV) ..."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --require-hashes -r requirements.lock
	@$(PY) -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lock
lock: setup ## resolve the dependencies anew: developers, what runs, what builds the image
	@$(COMPILE) --upgrade pyproject.toml --group dev -o requirements.lock
	@$(COMPILE) -c requirements.lock pyproject.toml -o requirements-runtime.lock
	@$(COMPILE) -c requirements.lock --upgrade --group image -o requirements-image.lock

.PHONY: demo
demo: setup ## the story on a real node, under 6 minutes once the parts are built
	@$(LAB) up --name demo --tier node
	@code=0; PYTHONPATH=lab $(PY) -m akeso demo --lab demo --reports dist/demo $(ARGS) || code=$$?; \
	  $(LAB) down --name demo; exit $$code

.PHONY: image
image: setup ## the operator's image, from the Dockerfile; shows its layers (root on Linux)
	@$(LAB) image $(ARGS)

.PHONY: lab-up lab-down lab-status
lab-up: setup ## start a lab [NAME=lab] [TIER=node|control-plane]
	@$(LAB) up --name $(NAME) --tier $(TIER)
lab-down: setup ## stop it and leave nothing behind [NAME=lab]
	@$(LAB) down --name $(NAME)
lab-status: setup ## how it is [NAME=lab]
	@$(LAB) status --name $(NAME)

.PHONY: test unit cluster node
test: setup ## all tiers: unit, cluster (real API server), node (real kubelet); rights at the end
	@tests/run all
unit: setup ## the unit tier, seconds
	@tests/run unit
cluster: setup ## the cluster tier: real API server, kwok nodes
	@tests/run cluster
node: setup ## the node tier: real kubelet, root on Linux
	@tests/run node
.PHONY: oldest soak
oldest: setup ## a selection of the cluster tier on the oldest supported Kubernetes
	@tests/run oldest
soak: setup ## an hour of healthy services with noise: nothing may be done
	@tests/run soak

.PHONY: check
check: setup verify ## formatting, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

.PHONY: docs verify
docs: setup ## regenerate docs/reference and the pictures of forecasts
	@$(PY) docs/generate.py
	@$(PY) docs/plots.py
verify: setup ## fail where a generated file is not what its source says, or locks disagree
	@$(PY) docs/generate.py --check
	@$(PY) docs/plots.py --check
	@$(PY) bench/odds.py --check
	@$(PY) image/locks.py

.PHONY: bench
bench: setup ## speed, memory and accuracy, each beside a named alternative
	@bench/run $(ARGS)

.PHONY: clean
clean: ## remove what was installed and cached in this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
