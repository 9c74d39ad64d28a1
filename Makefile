# The newest interpreter here for which every pinned package exists; PYTHON=… chooses another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$p && break; done)
PY := .venv/bin/python
STAMP := .venv/.installed
PURE := tests/core tests/test_layers.py tests/research

.PHONY: venv run demo test lint check coverage faults faults-ibkr parity bench-learning bench-training bench-quality bench-search bench-honesty clean

venv: $(STAMP)

# Only a changed requirements.txt or pyproject.toml installs anything: offline when current.
$(STAMP): requirements.txt pyproject.toml
	@test -x $(PY) || test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found: install Python 3.13 with its venv module, or name one with make PYTHON=/path/to/python." >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	touch $(STAMP)

run: venv
	$(PY) -m livetrading up

demo: venv
	$(PY) -m livetrading --home var/demo up --demo

lint: venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check --quiet
	$(PY) -m mypy

# After every change, under a minute: lint, types, and the tests that need no process, socket or browser.
check: lint
	$(PY) -m pytest -n 2 --dist worksteal $(PURE)

# Three at a time on two cores: many tests wait for processes and pages. A file stays in one of them.
test: venv
	$(PY) -m pytest -n 3 --dist loadfile

# Which lines no test runs.
coverage: venv
	$(PY) -m pytest -n 3 --dist loadfile --cov --cov-report=term

# The figures of docs/RELIABILITY.md, two sweeps at a time; FAST=1: a slice of each, a minute in all.
faults: venv
	$(PY) -m tests.faults

# Trading through Interactive Brokers against a double of TWS, adapter and shell: kills, faults, outages.
faults-ibkr: venv
	$(PY) -m tests.faults.ibkr_sweep

# The proofs of docs/PARITY.md at full size; BARS holds INTC.csv and TNA.csv.
parity: venv
	BARS="$(BARS)" $(PY) -m tests.parity.sweep

# Planted series with a known oracle; goes on where it was stopped. SPLIT=report: the seeds that no choice has seen.
SPLIT ?= develop
bench-learning: venv
	$(PY) -m pip install --disable-pip-version-check -q -r tests/bench/requirements.txt
	$(PY) -m tests.bench.learning --split $(SPLIT) --procedures oracle,always_long,random,ridge,tree,ppo --processes 2 \
		--out var/bench/learning.jsonl --json var/bench/learning-$(SPLIT).json
	$(PY) -m tests.bench.learning --split $(SPLIT) --procedures oracle,always_long,ridge,tree,sac --series 1 --processes 2 \
		--out var/bench/learning.jsonl --json var/bench/learning-sac-$(SPLIT).json

# What training costs in processor time; JSON names the file of the figures.
JSON ?= var/bench/training.json
bench-training: venv
	$(PY) -m tests.bench.training --json "$(JSON)"

# The same fit's quality over 20 seeds on walk-forward folds, beside Stable-Baselines3's default; about 20 minutes.
bench-quality: venv
	$(PY) -m tests.bench.quality --out var/bench/quality.jsonl

# A whole search of 20 trials, 3 seeds and 4 folds each, in seconds of all cores; PPO and SAC.
bench-search: venv
	$(PY) -m tests.bench.search --json var/bench/search.json

# How often luck reaches real money and skill does, and what is flagged; goes on where it was stopped. 35 to 40 minutes
# on two cores; FAST=1: a slice in a minute.
ifdef FAST
HONESTY := --parts null,skill,leaks --lives 25 --planted 20 --power 0 --series 2 --out var/bench/honesty-fast.jsonl \
	--json var/bench/honesty-fast.json
else
HONESTY := --out var/bench/honesty.jsonl --json var/bench/honesty.json
endif
bench-honesty: venv
	$(PY) -m tests.bench.honesty --processes 2 $(HONESTY)

clean:
	rm -rf .venv .pytest_cache .hypothesis .ruff_cache .mypy_cache .coverage* *.egg-info build
