# `make demo` does the main job, `make test` passes the tests, `make check` is for between two edits.
# Each sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
DEMO ?= demo
# Two workers: with more, the emulated boards wait for each other on a small machine.
WORKERS ?= 2
export PATH := $(BIN):$(PATH)
# The tests start a thousand Python processes: none of them is to compile what another one has compiled.
export PYTHONDONTWRITEBYTECODE :=
comma := ,

PYTEST := python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: demo check test test-all prepare-test compilers lint-with-packages seconds lint format wheel clean

demo: $(VENV)/.demo
	rlt-embed run Pendulum-v1 --algorithm sac --steps 10000 --seed 0 --board qemu_mps2_an386 -o $(DEMO) \
		--json $(DEMO)/report.json --junit $(DEMO)/report.xml --report $(DEMO)/report.html

# Lint, types, and the tests that need no cross compiler, no emulator and no long time.
check: lint
	$(PYTEST) -m "not emulated and not slow and not long"

# What CI runs.
test: prepare-test
	$(PYTEST) -m "not long"

# Also what is too long for CI.
test-all: prepare-test
	$(PYTEST)

# As test-all; the times that it takes become those of tests/seconds.json, and those of tests that are gone leave it.
seconds: prepare-test
	RECORD_SECONDS=all $(PYTEST)

# Python's packages and the linters take one core, the compilers another.
prepare-test: $(VENV)/.system
	$(MAKE) --jobs 2 --output-sync compilers lint-with-packages

lint-with-packages: $(VENV)/.test
	$(MAKE) lint

compilers:
	.ci/gcc-8 .venv/gcc-8 || [ -z "$$CI" ]
	bash templates/platforms/rlt_emulated/xtensa/install_compiler $(VENV) || [ -z "$$CI" ]
	.ci/qemu-10 $(VENV)/qemu-10 || [ -z "$$CI" ]
	ln -sf ../qemu-10/bin/qemu-system-arm $(VENV)/bin/qemu-system-arm-10
	.ci/rp2040js $(VENV)/rp2040js || [ -z "$$CI" ]

lint: $(VENV)/.check
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror

format: $(VENV)/.check
	ruff check --fix .
	ruff format .
	git ls-files '*.h' '*.cpp' | xargs clang-format -i

wheel: $(VENV)/.test
	python -m build --wheel --no-isolation

$(VENV)/.demo: pyproject.toml .ci/system-packages
	PYTHON=$(PYTHON) .ci/system-packages demo
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --editable '.[offline]'
	touch $@

# For the linters and the quick tests, without cross compilers and emulators.
$(VENV)/.check: pyproject.toml .ci/system-packages
	PYTHON=$(PYTHON) .ci/system-packages check
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --editable '.[offline,test]'
	touch $@

$(VENV)/.system: .ci/system-packages
	PYTHON=$(PYTHON) .ci/system-packages test
	$(PYTHON) -m venv $(VENV)
	touch $@

# Not compiled when they are installed: a test imports few of their modules.
$(VENV)/.test: pyproject.toml $(VENV)/.system
	python -m pip install --quiet --disable-pip-version-check --no-compile \
		--editable '.[offline,test$(if $(CI),$(comma)mkl)]'
	touch $@ $(VENV)/.check $(VENV)/.demo

clean:
	rm -rf $(DEMO) dist build
