# `make demo` and `make test` set up everything they need in .venv.
# Another build of torch (a GPU's): make demo TORCH="torch --index-url URL_OF_THE_BUILD" CONSTRAINTS=
PYTHON ?= python3
TORCH ?= torch==2.13.0
CONSTRAINTS ?= constraints-cpu.txt
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
WORKERS ?= 2
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-all lint format bench clean

$(BIN)/mien: pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) $(TORCH)
	$(INSTALL) --editable '.[faces]'
	touch $@

.venv/.tools: $(BIN)/mien
	$(INSTALL) --editable '.[test,lint,vad,faces]'
	touch $@ $(BIN)/mien && touch .venv/.tools

demo: $(BIN)/mien
	$(BIN)/mien demo

test: .venv/.tools
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-all: .venv/.tools
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: .venv/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.tools
	for benchmark in features step store; do $(BIN)/python benchmarks/bench_$$benchmark.py || exit 1; done
	if test -d "$(RUN)"; then $(BIN)/python benchmarks/bench_predict.py --model "$(RUN)"; \
	elif test -d src/mien/models/packaged/voice-small; then $(BIN)/python benchmarks/bench_predict.py; fi

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis
