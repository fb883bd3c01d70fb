# What a developer types, and CI. It needs make, any Python 3 and a package index, and installs all else into the checkout.

# Those of infra/stages.yaml.
STAGES = $(shell sed -n 's/^- name: *\([a-z0-9]*\).*/\1/p' infra/stages.yaml)
STAGE ?= $(firstword $(STAGES))
PORT ?= 8080
# What else template.yaml asks, for `make deploy`; docs/operating.md lists it.
PARAMETERS ?=
# What AWS runs; `make run` and the tests use this machine's own Python and processor instead.
RUNTIME ?= python3.13
ARCHITECTURE ?= arm64

UV_VERSION := 0.13.8
UV := .tools/bin/uv
BIN := .venv/bin

# The first Python that the gateway runs on, else any Python 3, for which uv then fetches one; PYTHON=... chooses another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && exit; done; command -v python3)
# Where uv puts the Pythons that it fetches.
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.tools/python

export SAM_CLI_TELEMETRY := 0
# What builds keep for the next one.
export BUILD_CACHE ?= $(CURDIR)/.local/api
export EMBEDDED_MODEL_CACHE ?= $(CURDIR)/.local/embedded_model

.DEFAULT_GOAL := help
# What stands first is made first, also with `make -j`: `deploy` asks for credentials before it builds.
.NOTPARALLEL:
.PHONY: help install vacancy run test check unit contract e2e vendors bench runtime build stage-is-listed credentials deploy stages requirements

help: ## lists what can be made
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do printf '  make %-13s %s\n' "$$name" "$$does"; done

run: vacancy install ## runs the gateway on this machine; PORT=8080
	@exec $(BIN)/python -m infra.local --port "$(PORT)"

# Before anything is installed, which takes minutes; without a fitting Python, `install` says so.
vacancy:
	@! $(or $(PYTHON),false) -c '$(SUPPORTED)' 2>/dev/null || $(PYTHON) -m infra.local.vacancy --port "$(PORT)"

install: .venv/.installed ## installs what the other commands need into .tools and .venv

test: check unit contract e2e ## everything that CI runs

check: install ## format, lint, types, the templates, the workflow, and that requirements.txt is the lock's
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(EXPORT) | cmp - functions/requirements.txt || { echo >&2 "functions/requirements.txt is not what uv.lock says: run make requirements."; exit 1; }
	@for template in template.yaml infra/alarms.yaml infra/dashboard.yaml; do \
		$(BIN)/sam validate --lint --region eu-central-1 --template $$template || exit 1; done
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --quiet --offline .github/workflows

unit: install ## tests of each file for itself
	$(BIN)/pytest tests/unit

contract: install ## tests of stores, templates and artefacts against the emulator
	$(BIN)/pytest tests/contract

e2e: install ## tests of real clients against the stack that SAM deploys to the emulator
	$(BIN)/pytest tests/e2e

# Too heavy for every checkout; their recorded requests are replayed by the unit tests.
SDKS := google-genai==3.6.1 ollama==0.6.3 huggingface_hub==1.16.1
vendors: install ## tests of vendors' own SDKs against the fakes of these vendors; RECORD=1 keeps what they send
	$(UV) run --quiet --frozen --no-sync $(SDKS:%=--with %) pytest tests/vendors

bench: install ## measures cold starts and requests against their targets; PEERS=1 adds LiteLLM's proxy
	$(BIN)/python -m benchmarks $(if $(filter 1,$(PEERS)),--peers)

build: install runtime ## builds the functions for AWS; RUNTIME=python3.13 ARCHITECTURE=arm64
	RUNTIME_PYTHON=$$($(FIND_RUNTIME)) ARCHITECTURE=$(ARCHITECTURE) $(BIN)/sam build \
		--parameter-overrides Runtime=$(RUNTIME) Architecture=$(ARCHITECTURE) >.tools/build.log
	@echo "The functions are built, in .aws-sam/build."

# The Python that AWS runs compiles the functions' byte code: this machine's own, or one that uv fetches.
FIND_RUNTIME = $(UV) python find --no-project --system $(RUNTIME:python%=%)
runtime: $(UV)
	@$(FIND_RUNTIME) >/dev/null 2>&1 || { echo "Fetching $(RUNTIME), which AWS runs, into $(UV_PYTHON_INSTALL_DIR) ..." \
		&& $(UV) python install --no-bin $(RUNTIME:python%=%) 2>.tools/python.log; } \
		|| { echo >&2 "$(RUNTIME), which AWS runs, was not found and cannot be fetched: install it, or connect to a network (.tools/python.log says more)."; exit 1; }

# In quotes, because SAM needs those that PARAMETERS may hold.
deploy: stage-is-listed credentials build ## deploys to AWS; STAGE=eu, PARAMETERS='Name=value ...'
	$(BIN)/sam deploy --config-env $(STAGE) \
		--parameter-overrides '$(strip Stage=$(STAGE) Runtime=$(RUNTIME) Architecture=$(ARCHITECTURE) $(PARAMETERS))'

# Before anything is built, which takes minutes.
stage-is-listed:
	@printf '%s\n' $(STAGES) | grep -qxF "$(STAGE)" || { echo >&2 "There is no stage '$(STAGE)' to deploy: infra/stages.yaml has $(STAGES), such as make deploy STAGE=$(firstword $(STAGES))."; exit 1; }

stages: install ## writes infra/stages.yaml to what cannot read it: template, samconfig.toml, catalogue, documents
	$(BIN)/python -m infra.stages
	$(BIN)/python -m infra.openapi

credentials: install
	@$(BIN)/python -m infra.admin.credentials "$(STAGE)"

# What the API function carries. botocore and what only it needs come with Lambda's own Python.
LAMBDA_HAS := botocore jmespath python-dateutil six urllib3
EXPORT = $(UV) export --quiet --frozen --no-dev --no-emit-project --no-header $(LAMBDA_HAS:%=--no-emit-package %)
requirements: install ## writes functions/requirements.txt from uv.lock
	$(EXPORT) --output-file functions/requirements.txt

.venv/.installed: pyproject.toml uv.lock $(UV)
	@echo "Installing what pyproject.toml names into .venv ..."
	@fits=$$(.tools/bin/python -c '$(SUPPORTED)' && echo "--python .tools/bin/python" || echo --managed-python); \
		$(UV) sync --quiet --locked $$fits 2>.tools/sync.log \
		|| { echo >&2 "The packages cannot be installed: is there a network? .tools/sync.log says more."; exit 1; }
	@touch $@

$(UV):
	@$(or $(PYTHON),false) -c '' 2>/dev/null || { echo >&2 "A Python 3 is needed to begin with, and was not found: install one, or say where it is (make PYTHON=/path/to/python3)."; exit 1; }
	@echo "Installing uv into .tools ..."
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 uv==$(UV_VERSION) 2>.tools/uv.log \
		|| { echo >&2 "uv cannot be installed: is there a network? .tools/uv.log says more."; exit 1; }
