# make demo       set up, train a GAN on real images for two minutes, say where the pictures are
# make test       set up, lint, tests, all notebooks (strict nbval); prints the CPU minutes of each group
# make test-all   the same with every model in every repetition
# make notebooks  run the lessons and solutions at laptop scale and store their outputs
# make exercises  generate exercises/ from solutions/, and course/claims.md from the ledger and verdicts
# make catalogue  write what `ganlib list` shows, after a model or preset was added or changed
# make lint       ruff, and the format of the lessons
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-all notebooks exercises catalogue lint benchmarks clean

demo: $(READY)
	@if [ -e runs/demo/metrics.json ]; then echo "runs/demo is there already: remove it (rm -r runs/demo) to train again"; \
	 else $(BIN)/ganlib train dcgan --preset laptop --data fashion_mnist --kimg 80 --out runs/demo \
	   $$([ -e runs/demo/config.json ] && echo --resume); fi
	@echo "The pictures are in runs/demo/samples: the last one, and training.gif"

test: $(READY) lint
	$(BIN)/pytest --nbval -n 2 --durations=15

test-all: $(READY) lint
	$(BIN)/pytest --nbval -n 2 --durations=15 -m ""

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python course/build.py check

notebooks: $(READY)
	$(BIN)/python course/build.py notebooks
	$(BIN)/python course/build.py claims

exercises: $(READY)
	$(BIN)/python course/build.py exercises
	$(BIN)/python course/build.py claims

catalogue: $(READY)
	$(BIN)/python -m ganlib.catalogue

benchmarks: $(READY)
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/quality.py

# the stamp is written last: an install that was cut short is done again
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "ganlib needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $(READY)

clean:
	rm -rf .venv runs
