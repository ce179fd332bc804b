# Coflow testbed: `make experiment` and `make test` do all set-up themselves. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
TESTBED := $(VENV)/bin/testbed
RESULTS ?= results
# What `make experiment` runs; with TRACE=FILE a slice of that coflow-benchmark file.
EXPERIMENT ?= $(if $(TRACE),experiments/trace.yml,experiments/quickstart.yml)
ARGS ?=
# What `make study` runs: every sweep in a folder; as root it emulates too, unless EMULATE=no.
STUDY ?= experiments/unlabelled
emulate := $(if $(filter no,$(EMULATE)),,$(filter 0,$(shell id -u)))
study_needs := $(if $(emulate),system-packages)
trace_option = $(if $(TRACE),--set 'workload.file=$(abspath $(TRACE))')

.PHONY: help setup system-packages experiment simulate study test test-vm fuzz faults soak lint report clean

help: ## list the targets
	@echo "make TARGET [EXPERIMENT=experiments/x.yml] [TRACE=coflow-benchmark file] [RESULTS=folder] [EMULATE=no] [ARGS='further options']"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed system-packages ## install all that is missing: system packages, virtual environment
	@$(TESTBED) doctor

system-packages: # as root, by apt; prints nothing where all is there
	@scripts/system-packages

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt scripts/virtual-environment
	@scripts/virtual-environment $(PYTHON) $(VENV)
	@touch $@

experiment: system-packages $(VENV)/.installed ## emulate EXPERIMENT (default: the quickstart), or a slice of TRACE; needs root
	@$(TESTBED) run $(EXPERIMENT) --out $(RESULTS) $(trace_option) $(ARGS)

simulate: EXPERIMENT := $(if $(filter file,$(origin EXPERIMENT)),experiments/simulate-trace.yml,$(EXPERIMENT))
simulate: $(VENV)/.installed ## simulate the whole trace (TRACE=FILE) under all schedulers, or EXPERIMENT; needs no root
	@$(TESTBED) simulate $(EXPERIMENT) --out $(RESULTS) $(trace_option) $(ARGS)

study: $(study_needs) $(VENV)/.installed ## the study of unlabelled flows and its report, resumable; EMULATE=no or no root: simulated only
	@$(TESTBED) study $(STUDY) --out $(RESULTS)/studies/$(notdir $(STUDY)) $(if $(emulate),,--backends simulation) \
	  $(if $(TRACE),--trace '$(abspath $(TRACE))') $(ARGS)

test: $(VENV)/.installed ## all tests, real networks and a real browser included; needs root
	@scripts/system-packages browser
	@$(VENV)/bin/python -m pytest $(or $(ARGS),--ignore=tests/reliability)
	@$(if $(ARGS),,$(VENV)/bin/python -m pytest tests/reliability)  # alone: they end the Docker daemon that other tests share

test-vm: $(VENV)/.installed ## the kernel datapath, in a virtual machine with Debian's kernel; ARGS="--accel kvm" where KVM works
	@scripts/system-packages vm
	@$(VENV)/bin/python tests/vm --out $(RESULTS)/vm $(ARGS)

fuzz: $(VENV)/.installed ## 100,000 wrong and nearly right inputs for every reader (some 15 minutes); ARGS="--inputs N --seed N TARGET"
	@$(VENV)/bin/python tests/fuzz $(ARGS)

faults: system-packages $(VENV)/.installed ## kill runs at 50 random instants and compare the machine; needs root; ARGS="--kills N --seed N"
	@$(VENV)/bin/python tests/reliability --out $(RESULTS)/faults.jsonl $(ARGS)

soak: system-packages $(VENV)/.installed ## 200 runs in one process: does anything grow? needs root; ARGS="--runs N" or "--hours H"
	@$(VENV)/bin/python benchmarks/soak.py --out $(RESULTS)/soak $(ARGS)

lint: $(VENV)/.installed ## style and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

report: $(VENV)/.installed ## tables, plots and an HTML report of the runs in RESULTS
	@$(TESTBED) report $(RESULTS) $(ARGS)

clean: $(VENV)/.installed ## remove what a killed run left on this machine (never results)
	@$(TESTBED) clean $(ARGS)
