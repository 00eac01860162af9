# make demo       train nothing, see everything: evaluate the bundled policy and film it
# make test       everything the project checks: lint, types, fast and slow tests
# make test-fast  lint, types and the fast tests
# make check      lint and types
# make bench      how fast rendering and collection are
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-fast check bench

demo: $(STAMP)
	$(BIN)/daml demo --out demo

test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

test-fast: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not slow"

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/daml bench render

$(STAMP): pyproject.toml
	PYTHON=$(PYTHON) sh scripts/setup.sh $(VENV)
	touch $@
