# `make demo` and `make test` set up everything they need in .venv.
# Another build of torch (a GPU's): make demo TORCH="torch --index-url URL_OF_THE_BUILD" CPU= CONSTRAINTS=
PYTHON ?= python3
TORCH ?= torch==2.13.0
CONSTRAINTS ?= constraints-cpu.txt
VENV ?= .venv
BIN := $(VENV)/bin
# Without a GPU the CPU build of torch is taken, which this index holds beside PyPI; PyPI's own build brings 4 GB of CUDA.
CPU ?= $(if $(shell command -v nvidia-smi 2>/dev/null),,--extra-index-url https://download.pytorch.org/whl/cpu --retries 1)
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
WORKERS ?= 2
# The newest Python at hand that is newer than that of $(PYTHON), for test-all.
NEWER ?= $(firstword $(foreach minor,15 14 13 12,$(shell $(PYTHON) -c "import sys; sys.exit(sys.version_info[1] >= $(minor))" \
	&& python3.$(minor) -c "" 2>/dev/null && command -v python3.$(minor))))
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-all lint format bench docs clean

$(BIN)/mien: pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) $(if $(CPU),--no-deps $(CPU)) $(TORCH)
	$(INSTALL) --editable '.[train,faces]'
	touch $@

$(VENV)/.tools: $(BIN)/mien
	$(INSTALL) --editable '.[test,lint,docs,vad,faces,opensmile,transformers,cluster]'
	touch $@ $(BIN)/mien && touch $(VENV)/.tools

demo: $(BIN)/mien
	$(BIN)/mien demo

test: $(VENV)/.tools
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-all: $(VENV)/.tools
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov=mien --cov-report=term:skip-covered
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir $(VENV)/wheel .
	TORCH="$(if $(CPU),--no-deps $(CPU)) $(TORCH)" tests/install.sh $(VENV)/wheel/mien-*.whl $(PYTHON) $(NEWER)
	PYTHON=$(BIN)/python tests/walk.sh
	$(MAKE) docs
	$(if $(NEWER),$(MAKE) test VENV=.venv-newer PYTHON=$(NEWER),@echo "no newer Python at hand: tested on one")

lint: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.tools
	for benchmark in features step store stream; do $(BIN)/python benchmarks/bench_$$benchmark.py || exit 1; done
	if test -d "$(RUN)"; then $(BIN)/python benchmarks/bench_predict.py --model "$(RUN)"; \
	elif test -d src/mien/models/packaged/voice-small; then $(BIN)/python benchmarks/bench_predict.py; fi

docs: $(VENV)/.tools
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --jobs auto --quiet docs docs/_build
	@echo docs/_build/index.html

clean:
	rm -rf .venv .venv-newer docs/_build .mypy_cache .ruff_cache .hypothesis
