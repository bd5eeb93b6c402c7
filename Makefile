# The everyday commands. `make` alone lists them.

PYTHON ?= python3
ARGS ?=

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
SETUP := .venv/.setup
RUNTIME := .venv/.runtime
DEV := .venv/.dev
WORKERS ?= 2

# The Node clients the conformance tests drive; absent from a source archive without tests.
NODE_LOCK := $(wildcard tests/conformance/package-lock.json)
NODE_MODULES := $(if $(NODE_LOCK),tests/conformance/node_modules/.package-lock.json)

PYTHON_SOURCES := $(wildcard src tests bench scripts locustfile.py)
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header

.PHONY: help
help:
	@echo "make run          set up on first use, then start everything on this machine"
	@echo "make test         set up on first use, then run every test; ARGS='-k name' for some"
	@echo "make lint         style, types and the rules between rooms"
	@echo "make format       rewrite the Python sources in the project's style"
	@echo "make conformance  only the MCP conformance suite and the official clients"
	@echo "make bench        CPU, latency and memory per call beside other MCP servers"
	@echo "make docs         rewrite the reference pages that come from the code"
	@echo "make lock         resolve the dependencies again; ARGS=--upgrade for newer ones"
	@echo "make clean        remove what the commands above created, except data"

.PHONY: run
run: $(RUNTIME)
	@$(BIN)/msil-mcp demo $(ARGS) || test $$? -eq 130

# Coverage is judged over the whole suite, so a part of it (ARGS) runs without.
.PHONY: test
test: $(DEV) $(NODE_MODULES)
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup \
	    $(if $(ARGS),$(ARGS),--cov --cov-report=xml)

.PHONY: conformance
conformance: $(DEV) $(NODE_MODULES)
	@exec $(BIN)/python -m pytest tests/conformance $(ARGS)

.PHONY: lint
lint: $(DEV)
	@$(BIN)/ruff check --quiet $(PYTHON_SOURCES)
	@$(BIN)/ruff format --check --quiet $(PYTHON_SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(DEV)
	@$(BIN)/ruff check --quiet --fix-only $(PYTHON_SOURCES)
	@$(BIN)/ruff format --quiet $(PYTHON_SOURCES)

.PHONY: bench
bench: $(DEV)
	@exec $(BIN)/python -m bench $(ARGS)

.PHONY: docs
docs: $(RUNTIME)
	@$(BIN)/python scripts/render_reference.py

# uv and the build backend are locked by themselves, so that nothing is fetched without a hash.
.PHONY: lock
lock: $(DEV)
	@$(LOCK) $(ARGS) pyproject.toml --output-file requirements.txt
	@$(LOCK) $(ARGS) pyproject.toml --group dev --constraints requirements.txt \
	    --output-file requirements-dev.txt
	@printf '%s\n' uv hatchling editables | $(LOCK) $(ARGS) --python-version 3.11 - \
	    --constraints requirements-dev.txt --no-annotate --output-file requirements-setup.txt

.PHONY: clean
clean:
	@rm -rf .venv tests/conformance/node_modules build dist htmlcov coverage.xml .coverage \
	    .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache bench/out

# --- setting up; each file below is written once its step is complete ---

$(SETUP): requirements-setup.txt
	@command -v $(PYTHON) >/dev/null || { \
	    echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is older than 3.11; name a newer one with: make PYTHON=python3.12" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; }
	@echo "Setting up .venv (once)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(RUNTIME): requirements.txt pyproject.toml $(SETUP)
	@sh scripts/install.sh requirements.txt
	@touch $@

$(DEV): requirements-dev.txt pyproject.toml $(SETUP)
	@sh scripts/install.sh requirements-dev.txt
	@touch $@ $(RUNTIME)

tests/conformance/node_modules/.package-lock.json: $(NODE_LOCK)
	@command -v npm >/dev/null || { echo "npm is needed for the conformance tests" >&2; exit 1; }
	@npm ci --loglevel=error --no-audit --no-fund --prefix tests/conformance
	@touch $@
