# Everything starts from a bare clone: Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?=

PEERS := .venv-peers
TOPIC_PEERS := .venv-topic-peers

.PHONY: install demo test check soak bench bench-peers-install bench-topic-peers-install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/kb prepare
	touch $(STAMP)

demo: install ## Live ten weeks of a made-up company, then serve it.
	$(BIN)/kb demo

check: install ## Style, types and import contracts.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install check ## Everything CI runs; drives a real browser.
	@command -v chromium >/dev/null 2>&1 || { echo "installing chromium for the browser tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; }
	$(BIN)/pytest -n 2 --dist loadfile

soak: install ## 200 kills at random moments; takes about half an hour.
	$(BIN)/python bench/soak.py

bench: install ## Benchmarks on public data: make bench DATA=/path/to/data
	$(BIN)/python bench/sync_unchanged.py
	@if [ -n "$(DATA)" ]; then $(BIN)/python bench/thunderbird.py --data "$(DATA)"; \
	else echo "no DATA=folder given: skipped the benchmarks on public data"; fi

bench-peers-install: ## What bench/retrieval.py compares with, in an environment of its own.
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-peers.txt

bench-topic-peers-install: ## What bench/topics.py compares with, in an environment of its own.
	$(PYTHON) -m venv $(TOPIC_PEERS)
	$(TOPIC_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-topic-peers.txt

clean:
	rm -rf $(VENV) $(PEERS) $(TOPIC_PEERS) demo build *.egg-info
