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
CHECKOV := .venv/checkov/.complete
AUDIT := .venv/audit/.complete
WORKERS ?= 2
KILLS ?= 200

# The Node clients tests drive; absent from a source archive without tests.
NODE_LOCKS := $(wildcard tests/conformance/package-lock.json tests/chat/ai_sdk/package-lock.json)
NODE_MODULES := $(NODE_LOCKS:package-lock.json=node_modules/.package-lock.json)

PYTHON_SOURCES := $(wildcard src tests bench scripts deploy/smoke.py locustfile.py web/e2e/*.py)
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header

# The two web apps; a source archive may come without them.
WEB_LOCK := $(wildcard web/package-lock.json)
WEB_MODULES := $(if $(WEB_LOCK),web/node_modules/.package-lock.json)
WEB_SOURCES := $(if $(WEB_LOCK),$(shell find web -type f -not -path '*/node_modules/*' \
    -not -path 'web/out/*' -not -path 'web/e2e/*' -not -name '*.test.ts*' -not -name openapi.json))
PAGES := src/msil_mcp/pages/static/.built

.PHONY: help
help:
	@echo "make run          set up on first use, then start everything on this machine"
	@echo "make web          build the two web apps into the server"
	@echo "make test         set up on first use, then run every test; ARGS='-k name' for some"
	@echo "make e2e          only the journeys through the web pages, in Chromium"
	@echo "make lint         style, types and the rules between rooms"
	@echo "make format       rewrite the Python sources in the project's style"
	@echo "make faults       kill 200 servers on each database while people talk; KILLS=n for n"
	@echo "make conformance  only the MCP conformance suite and the official clients"
	@echo "make audit        careless code, forgotten secrets and known advisories; needs the network"
	@echo "make scale-out    kill and replace two and four servers behind nginx, 10,000 requests each"
	@echo "make bench        CPU, latency and memory per call beside other MCP servers"
	@echo "make terraform    Terraform and checkov look at deploy/terraform; needs terraform"
	@echo "make image-check  build both images without a registry and run them; root on Debian"
	@echo "make load         a hundred users, on one server and on two replicas; figures and targets"
	@echo "make figures      what the pages cost in a browser: 5,000 tools, 2,000 messages"
	@echo "make screenshots  the journeys through the pages, and their pictures into the docs"
	@echo "make docs         rewrite the reference pages that come from the code"
	@echo "make site         the documentation as a site, in build/site"
	@echo "make dashboards   rewrite the Grafana dashboards from scripts/dashboards.py"
	@echo "make api          rewrite the web apps' typed client from our OpenAPI document"
	@echo "make lock         resolve the dependencies again; ARGS=--upgrade for newer ones"
	@echo "make clean        remove what the commands above created, except data"

.PHONY: run
run: $(RUNTIME)
	@sh scripts/pages.sh
	@$(BIN)/msil-mcp demo $(ARGS) || test $$? -eq 130

.PHONY: web
web: $(PAGES)

# Coverage is judged over the whole suite, so a part of it (ARGS) runs without.
.PHONY: test
test: $(DEV) $(NODE_MODULES) $(PAGES)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup \
	    $(if $(ARGS),$(ARGS),--cov --cov-report=xml)
	@$(if $(ARGS),,$(MAKE) test-web e2e)

.PHONY: test-web
test-web: $(WEB_MODULES)
	@npm test --silent --prefix web

# In Debian's Chromium against the real server; pictures of the pages are left in web/out.
.PHONY: e2e
e2e: $(DEV) $(PAGES)
	@npm run e2e --silent --prefix web

# The pictures that README and the guides show, taken from the journeys.
.PHONY: screenshots
screenshots: e2e
	@cp $(foreach name,chat-confirmation-390 chat-booking-390 admin-import-plan admin-approvals,web/out/$(name).png) docs/images/

# 5,000 tools in the list, a letter typed below 2,000 messages; in Chromium, printed beside the limits.
.PHONY: figures
figures: $(DEV) $(PAGES)
	@npm run figures --silent --prefix web

# Each of the two databases takes some minutes; `make test` kills four servers on each.
.PHONY: faults
faults: $(DEV)
	@MSIL_KILLS=$(KILLS) $(BIN)/python -m pytest tests/chat/test_deaths.py -q -s $(ARGS)

.PHONY: conformance
conformance: $(DEV) $(NODE_MODULES)
	@exec $(BIN)/python -m pytest tests/conformance $(ARGS)

.PHONY: lint
lint: $(DEV) $(WEB_MODULES)
	@$(BIN)/ruff check --quiet $(PYTHON_SOURCES)
	@$(BIN)/ruff format --check --quiet $(PYTHON_SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(if $(WEB_LOCK),npm run lint --silent --prefix web)

.PHONY: format
format: $(DEV)
	@$(BIN)/ruff check --quiet --fix-only $(PYTHON_SOURCES)
	@$(BIN)/ruff format --quiet $(PYTHON_SOURCES)

# Needs the advisory service: what could not be looked at fails.
.PHONY: audit
audit: $(AUDIT)
	@sh scripts/audit.sh

# Two and four servers, killed one by one and replaced one by one under 10,000 requests.
.PHONY: scale-out
scale-out: $(DEV)
	@for replicas in 2 4; do \
	    MSIL_REPLICAS=$$replicas MSIL_REQUESTS=10000 \
	        $(BIN)/python -m pytest -q -s tests/product/test_scale_out.py $(ARGS) || exit 1; done

.PHONY: bench
bench: $(DEV)
	@exec $(BIN)/python -m bench $(ARGS)

# Apart from the tests: it wants root, buildah and mmdebstrap, and minutes.
.PHONY: image-check
image-check:
	@$(PYTHON) scripts/check_images.py $(ARGS)

.PHONY: load
load: $(DEV)
	@exec $(BIN)/python -m bench.loading $(ARGS)

.PHONY: docs
docs: $(RUNTIME)
	@$(BIN)/python scripts/render_reference.py

.PHONY: site
site: $(DEV)
	@$(BIN)/zensical build --clean --strict

.PHONY: dashboards
dashboards: $(DEV)
	@$(BIN)/python scripts/render_dashboards.py

.PHONY: api
api: $(DEV) $(WEB_MODULES)
	@$(BIN)/python scripts/render_openapi.py > web/packages/api/openapi.json
	@npm run api --silent --prefix web

# Apart from the tests: Terraform is no package of ours, and checkov is larger than all of them.
.PHONY: terraform
terraform: $(CHECKOV)
	@sh scripts/check_terraform.sh

# What the tests know of the AWS provider; needed when another type of resource is used.
.PHONY: terraform-schema
terraform-schema: $(DEV)
	@sh scripts/check_terraform.sh schema

# What the booking service needs by itself, for its image.
BOOKING := aiosqlite fastapi 'psycopg[binary]' pydantic-settings 'sqlalchemy[asyncio]' tzdata uvicorn

# uv and the build backend are locked by themselves, so that nothing is fetched without a hash.
.PHONY: lock
lock: $(DEV)
	@$(LOCK) $(ARGS) pyproject.toml --output-file requirements.txt
	@$(LOCK) $(ARGS) pyproject.toml --group dev --constraints requirements.txt \
	    --output-file requirements-dev.txt
	@printf '%s\n' uv hatchling editables | $(LOCK) $(ARGS) --python-version 3.11 - \
	    --constraints requirements-dev.txt --no-annotate --output-file requirements-setup.txt
	@printf '%s\n' $(BOOKING) | $(LOCK) $(ARGS) --python-version 3.11 - \
	    --constraints requirements.txt --no-annotate --output-file requirements-booking.txt
	@printf '%s\n' checkov | $(LOCK) $(ARGS) --python-version 3.11 - \
	    --no-annotate --output-file requirements-checkov.txt
	@printf '%s\n' bandit pip-audit detect-secrets | $(LOCK) $(ARGS) --python-version 3.11 - \
	    --no-annotate --output-file requirements-audit.txt

.PHONY: clean
clean:
	@rm -rf .venv tests/conformance/node_modules tests/chat/ai_sdk/node_modules web/node_modules src/msil_mcp/pages/static build dist htmlcov coverage.xml .coverage \
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

# In an environment of its own: it pins what others need newer.
$(CHECKOV): requirements-checkov.txt $(SETUP)
	@$(BIN)/python -m venv .venv/checkov
	@.venv/checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(NODE_MODULES): %node_modules/.package-lock.json: %package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for the tests with Node clients" >&2; exit 1; }
	@npm ci --loglevel=error --no-audit --no-fund --prefix $*
	@touch $@

$(AUDIT): requirements-audit.txt $(SETUP)
	@$(BIN)/python -m venv .venv/audit
	@.venv/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

web/node_modules/.package-lock.json: $(WEB_LOCK)
	@command -v npm >/dev/null || { echo "npm (Node 20.19 or newer) is needed for the web apps" >&2; exit 1; }
	@echo "Fetching what the web apps are built with (once)"
	@npm ci --loglevel=error --no-audit --no-fund --prefix web
	@touch $@

$(PAGES): $(WEB_MODULES) $(WEB_SOURCES)
	@npm run build --silent --prefix web
	@touch $@
