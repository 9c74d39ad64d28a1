PYTHON ?= python3.11
PY := .venv/bin/python
STAMP := .venv/.installed

.PHONY: venv run demo test faults faults-ibkr parity clean

venv: $(STAMP)

# Only a changed requirements.txt installs anything: offline when current.
$(STAMP): requirements.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	touch $(STAMP)

run: venv
	$(PY) -m livetrading up

demo: venv
	$(PY) -m livetrading --home var/demo up --demo

# Three at a time on two cores: many tests wait for processes and pages. A file stays in one of them.
test: venv
	$(PY) -m pytest -n 3 --dist loadfile

# The figures of docs/RELIABILITY.md, two sweeps at a time; FAST=1: a slice of each, a minute in all.
faults: venv
	$(PY) -m tests.faults

# Trading through Interactive Brokers against a double of TWS, adapter and shell: kills, faults, outages.
faults-ibkr: venv
	$(PY) -m tests.faults.ibkr_sweep

# The proofs of docs/PARITY.md at full size; BARS holds INTC.csv and TNA.csv.
parity: venv
	BARS="$(BARS)" $(PY) -m tests.parity.sweep

clean:
	rm -rf .venv .pytest_cache .hypothesis
