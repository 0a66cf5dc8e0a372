# The two commands: `make demo` does the main job, `make test` passes the tests. Each sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
DEMO ?= demo
# Two workers: with more, the emulated boards wait for each other on a small machine.
WORKERS ?= 2
export PATH := $(BIN):$(PATH)
comma := ,

.PHONY: demo test lint format wheel clean

demo: $(VENV)/.demo
	rlt-embed run Pendulum-v1 --algorithm sac --steps 10000 --seed 0 --board qemu_mps2_an386 -o $(DEMO) \
		--json $(DEMO)/report.json --junit $(DEMO)/report.xml --report $(DEMO)/report.html

test: lint
	.ci/gcc-8 .venv/gcc-8 || [ -z "$$CI" ]
	bash templates/platforms/rlt_emulated/xtensa/install_compiler $(VENV) || [ -z "$$CI" ]
	python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.test
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror

format: $(VENV)/.test
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

$(VENV)/.test: $(VENV)/.demo
	PYTHON=$(PYTHON) .ci/system-packages test
	python -m pip install --quiet --disable-pip-version-check --editable '.[offline,test$(if $(CI),$(comma)mkl)]'
	touch $@

clean:
	rm -rf $(DEMO) dist build
