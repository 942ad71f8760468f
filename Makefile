# Every target sets up .venv by itself, and again only when a pin or pyproject.toml changed.
# pip and uv take the address of their package index from the user's own configuration; nothing here names one.

PYTHON ?= python3
DATA ?= ./moorage-data
JOBS ?= 2
ARGS ?=
RUNNER ?=
UPGRADE ?=
SECONDS ?= 30

CONSOLE := src/moorage/console/static/index.html
CONSOLE_SOURCES := $(shell find console -name node_modules -prune -o -type f -print)

BIN := .venv/bin
UV := $(BIN)/uv --quiet pip
INSTALL_PROJECT := $(UV) install --python $(BIN)/python --no-deps --no-build-isolation --editable . --editable bench
COMPILE := $(UV) compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make requirements" $(UPGRADE)
# Each process starts with a half of the tests and takes over from the other one, so most fixtures are made once.
PYTEST := $(BIN)/pytest --numprocesses $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help serve console check test soak fuzz mutants audit lint format bench requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: .venv/.serve $(CONSOLE) ## serve on 127.0.0.1:5000 with the data in ./moorage-data (DATA=..., ARGS="--listen ...")
	@printf '%s\n' "$(abspath $(DATA))" > .venv/data-folder
	@$(BIN)/moorage serve --data $(DATA) $(ARGS)

console: $(CONSOLE) ## build the pages of the console, if npm is there

# A server without them serves everything else, so a build that fails is only reported.
$(CONSOLE): $(CONSOLE_SOURCES)
	@if command -v npm >/dev/null; then \
	    echo "Building the console (only when its sources changed) ..."; \
	    (cd console && npm ci --silent && npm run --silent build) || echo "The console could not be built." >&2; \
	else \
	    echo "The console is not built: it needs npm (Node.js 20.19 or later)." >&2; \
	fi

check: lint ## lint, and run the tests that need no server: before each commit (ARGS="-k name", JOBS=4)
	$(PYTEST) -m "not (client or long or server)" tests/unit tests/project $(ARGS)

test: .venv/.dev $(CONSOLE) ## run the tests, two at a time (ARGS="-k name", JOBS=4)
	$(RUNNER) $(PYTEST) -m "not long" $(ARGS)

soak: .venv/.dev ## run the tests that take minutes, and show their figures
	$(BIN)/pytest -m long --log-cli-level=INFO $(ARGS)

fuzz: .venv/.dev ## fuzz every parser of bytes from outside, two at a time (SECONDS=30 for each, ARGS=--keep)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --jobs $(JOBS) $(ARGS)

mutants: .venv/.dev ## check that tests notice changes of the rules (ARGS="--topic garbage --sample 100")
	$(BIN)/python -m tools.mutants --jobs $(JOBS) $(ARGS)

audit: .venv/.build ## compare the pinned packages with known vulnerabilities; needs the internet
	$(BIN)/uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement requirements/dev.txt \
		$$(sed -n 's/^\([A-Z][A-Za-z0-9-]*\) .*/--ignore-vuln \1/p' requirements/accepted-vulnerabilities.txt)

lint: .venv/.dev ## check style, format, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## repair style and format where ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.serve ## measure pushes, pulls and requests (ARGS="--against URL")
	$(BIN)/moorage bench $(ARGS)

requirements: .venv/.build ## pin again what pyproject.toml asks for (UPGRADE=--upgrade: the newest of everything)
	$(COMPILE) --extra cli --extra testing --extra traces --group build --group lint --group test pyproject.toml --output-file requirements/dev.txt
	$(COMPILE) --extra cli --extra traces --constraint requirements/dev.txt pyproject.toml --output-file requirements/serve.txt
	$(COMPILE) --extra traces --constraint requirements/dev.txt pyproject.toml --output-file requirements/image.txt
	$(COMPILE) --group build --constraint requirements/dev.txt --output-file requirements/build.txt

clean: ## remove .venv, built client programs and caches; data folders stay
	rm -rf .venv .tools .fuzz dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src bench tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.build: requirements/build.txt
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || { echo "\
	make: $(PYTHON) must be Python 3.11 or later with its venv module (Debian: apt-get install python3-venv); \
	make PYTHON=... chooses another one" >&2; exit 1; }
	@echo "Setting up .venv (only when the pins changed) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		--requirement requirements/build.txt
	@touch $@

# What serves is added to what is there: a .venv with the development tools keeps them.
.venv/.serve: .venv/.build requirements/serve.txt pyproject.toml bench/pyproject.toml
	@$(UV) install --python $(BIN)/python --require-hashes --only-binary :all: --requirement requirements/serve.txt
	@$(INSTALL_PROJECT)
	@touch $@

.venv/.dev: .venv/.build requirements/dev.txt pyproject.toml bench/pyproject.toml
	@$(UV) sync --python $(BIN)/python --require-hashes --only-binary :all: requirements/dev.txt
	@$(INSTALL_PROJECT)
	@touch .venv/.serve $@
