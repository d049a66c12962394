# Each target sets itself up: no other command is needed first. What they do stands in README.md.
PY = .venv/bin/python
PY_APPLE = .venv-apple/bin/python
# Two files at a time: most of a section's time one core is idle.
TWO = -n 2 --no-loadscope-reorder
# What was given as in `make run LIKELIHOOD=gaussian`; the shell takes the values, whatever they hold, from its environment.
GIVEN = $(foreach v,$(filter-out PYTHON,$(.VARIABLES)),$(if $(filter command,$(origin $v)),$v="$$$v"))

.PHONY: help run lab test test-apple-versions test-browser execute submission format bench setup setup-dev setup-apple clean

help:
	@echo "make run      execute every section into build/, make a page and a PDF of them, and say what to open"
	@echo "make run LIKELIHOOD=gaussian LATENT_DIM=8   the same with other parameters than the course's"
	@echo "make lab      open JupyterLab on the notebooks"
	@echo "make test     run the unit tests and re-execute every notebook with nbval"
	@echo "make test-apple-versions   the tests, without knobs, with the versions that a Mac gets"
	@echo "make test-browser   open the page in headless Chromium (apt install chromium chromium-driver)"
	@echo "make execute  re-execute every notebook in place, before a commit"
	@echo "make submission NAME='...' COURSE='...'   execute everything and pack it with page and PDF;"
	@echo "                PART=exercise leaves out what goes beyond the exercise"
	@echo "make format   format and lint code and notebooks"
	@echo "make bench    repeat the measurements in benchmarks/results (hours)"
	@echo "make clean    remove the environments, build/ and the trained models"

setup:
	@sh tools/setup.sh .venv requirements.txt

run: setup
	@$(PY) tools/execute.py build/notebooks 4.3 $(GIVEN) && $(PY) tools/page.py

submission: setup
	@$(PY) tools/submission.py $(GIVEN)

execute: format
	@$(PY) tools/execute.py notebooks

lab: setup
	@$(PY) -m jupyterlab notebooks

test: setup-dev
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .
	@$(PY) -m pytest $(TWO) notebooks tests

# What a maintainer needs besides is added to the same environment, at the first call only.
setup-dev: setup
	@cmp -s requirements-dev.txt .venv/requirements-dev.txt || { \
		$(PY) -m pip install --quiet --disable-pip-version-check -c requirements.txt -r requirements-dev.txt \
		&& cp requirements-dev.txt .venv/; }

test-browser: setup-dev
	@VAE_BROWSER=required $(PY) -m pytest tests/test_browser.py tests/test_explorer.py

format: setup-dev
	@$(PY) -m ruff format --quiet . && $(PY) -m ruff check --fix .

bench: setup
	@for script in choose_network throughput growth likelihoods beta limits notebooks; do \
		echo "== $$script"; $(PY) benchmarks/$$script.py || exit 1; done
	@$(PY) benchmarks/tables.py

# The version set of Apple silicon on this machine's CPU: requirements.txt resolved for a Mac, without the two packages
# that exist only there (tensorflow-metal is the GPU plug-in, tensorflow-macos an empty shell around tensorflow).
build/requirements-apple.txt: requirements.txt requirements-dev.txt | setup-dev
	@mkdir -p build
	@grep xdist requirements-dev.txt | .venv/bin/uv pip compile --quiet --no-python-downloads --no-header --no-annotate --only-binary :all: \
		--python-platform aarch64-apple-darwin --python-version 3.11 requirements.txt - \
		| grep -v -E '^(tensorflow-macos|tensorflow-metal|appnope)==' > $@.partial && mv $@.partial $@

setup-apple: build/requirements-apple.txt
	@sh tools/setup.sh .venv-apple build/requirements-apple.txt

test-apple-versions: setup-apple
	@$(PY_APPLE) -m pytest $(TWO) --ignore=tests/test_knobs.py notebooks tests

clean:
	rm -rf .venv .venv-apple build trained
