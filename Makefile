# Spotify Lake: every task a person or CI runs. `make` alone lists them.
# Needs GNU make, git and Python 3.13; everything else is installed below .venv and .tools.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# An activated environment must not reach into the ones made here.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH
export SAM_CLI_TELEMETRY := 0

PYTHON ?= python3.13
PYTEST_ARGS ?=
# Each environment is up to date when its stamp is newer than its lock file.
UV := .tools/uv/.installed
DEV := .venv/.installed
SAM := .tools/sam/.installed
EMULATOR := .tools/emulator/.installed
CHECKOV := .tools/checkov/.installed
SECURITY := .tools/security/.installed
BROWSER := .tools/browser/.installed
FAULTS := .tools/faults/.installed
SPARK := .tools/spark/.installed

RUN := .venv/bin
UV_CLI := .tools/uv/bin/uv
SAM_CLI := PATH="$(CURDIR)/.venv/bin:$(CURDIR)/.tools/uv/bin:$$PATH" .tools/sam/bin/sam

# make sets MAKE_TERMOUT when it writes to a terminal.
ifdef MAKE_TERMOUT
CYAN := \033[36m
BOLD := \033[1m
PLAIN := \033[0m
endif

# $(call say,what,details): one line per step
say = printf '$(CYAN)%-12s$(PLAIN) %s\n' "$(1)" "$(2)"

# Lint steps run two at a time and all of them, where make can keep their output apart.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,$(if $(filter output-sync,$(.FEATURES)),-j2 --output-sync=target))

##@ The lake on this laptop

.PHONY: demo up down query logs

demo: $(DEV) $(SAM) $(EMULATOR) ## Deploy the whole stack here, fill it with 30 days of playlists and query it
	@$(RUN)/python -m local demo

up: $(DEV) $(SAM) $(EMULATOR) ## Start the emulator and deploy the stack, without data
	@$(RUN)/python -m local up

down: $(DEV) ## Stop everything that demo or up started
	@$(RUN)/python -m local down

query: $(DEV) ## Ask the lake: make query SQL="select count(*) from songs"; without SQL, list its tables
	@$(RUN)/python -m local query -- "$$LAKE_SQL"

logs: $(DEV) ## Show what the functions logged
	@$(RUN)/python -m local logs

.PHONY: bulk-demo

bulk-demo: $(DEV) $(SAM) $(EMULATOR) $(SPARK) ## Load both bulk data sets, made up, with Spark on this laptop: needs Java 17
	@$(RUN)/python -m local bulk-demo

# The query reaches the shell through the environment, so that its quotes and dollars survive.
export LAKE_SQL = $(value SQL)

##@ The lake on AWS

.PHONY: build validate deploy change-set apply-change-set

build: $(DEV) $(SAM) ## Build functions and layers for Lambda
	@$(call say,build,sam build)
	@$(SAM_CLI) build

validate: $(SAM) ## Check the template as SAM reads it
	@$(SAM_CLI) validate --lint --region us-east-1

deploy: build ## Deploy to the AWS account you are signed in to, asking for each parameter
	@$(SAM_CLI) deploy --guided

# Settings reach the shell through the environment, so that their blanks, quotes and parentheses survive.
export ARTIFACTS_BUCKET EXECUTION_ROLE CHANGE_SET LAKE_PARAMETERS
PACKAGED := .aws-sam/packaged.json
PREPARED := .aws-sam/change-set

change-set: build ## Prepare a deployment and show what it would change; LAKE_PARAMETERS='Name=value …'
	@$(SAM_CLI) package --use-json --output-template-file $(PACKAGED) \
	    $${ARTIFACTS_BUCKET:+--no-resolve-s3 --s3-bucket "$$ARTIFACTS_BUCKET"} >/dev/null
	@$(RUN)/python -m tools.change_set prepare $(PACKAGED) --arn-file $(PREPARED).arn $(call option,--stack,STACK) \
	    --role "$$EXECUTION_ROLE" --parameters "$$LAKE_PARAMETERS" >$(PREPARED).md
	@cat $(PREPARED).md

apply-change-set: $(DEV) ## Carry out a change that was prepared: make apply-change-set CHANGE_SET=arn:…
	@[ -n "$$CHANGE_SET" ] || { echo 'Say which: make change-set prints its ARN at the end'; exit 2; }
	@$(RUN)/python -m tools.change_set apply "$$CHANGE_SET" $(call option,--stack,STACK)

##@ Operate a deployed lake: on AWS, or with TARGET=laptop the one on this laptop

.PHONY: login status redrive replay import report views export
.PHONY: views export

# $(call option,--name,VARIABLE): passed on only if it is set
option = $(if $($(2)),$(1) '$($(2))')
WHICH_LAKE = $(call option,--target,TARGET) $(call option,--stack,STACK)

login: $(DEV) ## Sign the lake in to Spotify: opens your browser; NO_BROWSER=1 if that is elsewhere
	@$(RUN)/python -m cli login $(WHICH_LAKE) $(call option,--client-id,CLIENT_ID) $(call option,--port,LOGIN_PORT) \
	    $(if $(NO_BROWSER),--no-browser) $(if $(APP_ONLY),--app-only)

report: $(DEV) ## Write the report now, fetch the page and open it; NO_BROWSER=1 only says where it is
	@$(RUN)/python -m cli report $(WHICH_LAKE) $(if $(NO_BROWSER),--no-browser)

status: $(DEV) ## Show how the lake is: freshness, queues, dead letters, sign-in, crawler, alarms
	@$(RUN)/python -m cli status $(WHICH_LAKE)

redrive: $(DEV) ## Show the dead letters and move them back; YES=1 does not ask, QUEUE= takes one queue
	@$(RUN)/python -m cli redrive $(WHICH_LAKE) $(call option,--queue,QUEUE) $(if $(YES),--yes)

replay: $(DEV) ## Rebuild the tables of some days from raw: make replay FROM=2026-11-01 [TO= PLAYLIST=]
	@[ -n "$(FROM)" ] || { echo 'Say from which day: make replay FROM=2026-11-01 TO=2026-11-30'; exit 2; }
	@$(RUN)/python -m cli replay $(WHICH_LAKE) --from '$(FROM)' $(call option,--to,TO) $(call option,--playlist,PLAYLIST)

import: $(DEV) ## Put your old dumps into the lake: make import FILES="dumps/ more.json" [AT= PLAYLIST= DRY_RUN=1]
	@[ -n "$$LAKE_FILES" ] || { echo 'Say what to import: make import FILES="dumps/ liked-*.json.gz s3://bucket/prefix"'; exit 2; }
	@$(RUN)/python -m cli import $(WHICH_LAKE) $(call option,--playlist,PLAYLIST) $(call option,--at,AT) \
	    $(if $(DRY_RUN),--dry-run) -- "$$LAKE_FILES"

# The names reach the shell through the environment, so that their blanks and quotes survive.
export LAKE_FILES = $(value FILES)

views: $(DEV) ## Make the views in Athena, or replace them: once after deploying, and when they change
	@$(RUN)/python -m cli views $(WHICH_LAKE)

export: $(DEV) ## Write views, tables or answers as CSV and Parquet: make export OUT=folder WHAT="latest_songs artist_gains"
	@$(RUN)/python -m cli export $(WHICH_LAKE) $(call option,--out,OUT) -- $(WHAT)

.PHONY: bulk redshift

bulk: $(DEV) $(if $(filter laptop,$(TARGET)),$(SPARK)) ## Load files of a bulk data set: make bulk DATASET=charts FILES="charts.csv exports/" [BATCH=]
	@[ -n "$(DATASET)" ] && [ -n "$$LAKE_FILES" ] || { echo 'Say what to load: make bulk DATASET=charts FILES="charts.csv exports/", or DATASET=kaggle2023'; exit 2; }
	@$(RUN)/python -m cli bulk $(WHICH_LAKE) $(call option,--batch,BATCH) -- '$(DATASET)' "$$LAKE_FILES"

redshift: $(DEV) ## Make the charts' tables in Redshift and load them; again after each run of the job
	@$(RUN)/python -m cli redshift $(WHICH_LAKE)

##@ Checks

.PHONY: test test-all long lint unit integration browser bulk-test e2e format
.PHONY: lint-ruff lint-types lint-imports lint-template lint-sam lint-checkov lint-schema lint-locks
.PHONY: lint-bandit audit

test: $(DEV) $(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(FAULTS) ## Everything below, stopping at the first stage that fails
	@started=$$SECONDS; \
	for stage in lint unit integration browser e2e; do \
	    begun=$$SECONDS; \
	    $(MAKE) $$stage || { printf '\n%s failed after %s s\n' "make $$stage" $$((SECONDS - begun)); exit 1; }; \
	    summary="$${summary:-}$$(printf '  %-12s passed in %3d s' $$stage $$((SECONDS - begun)))"$$'\n'; \
	done; \
	printf '\n%s  %-12s passed in %3d s\n' "$$summary" 'all' $$((SECONDS - started))

test-all: ## make test, and then the long tests, as CI does
	@$(MAKE) test
	@$(MAKE) long

lint: $(DEV) $(SAM) $(CHECKOV) $(SECURITY) ## Style, types, imports, template, security, schema and lock files
	@$(MAKE) -k $(parallel) lint-types lint-checkov lint-template lint-sam lint-bandit lint-imports lint-ruff lint-schema lint-locks

# Tests that share nothing run side by side.
SPREAD := -n auto --maxprocesses 4

unit: $(DEV) ## Fast tests without any network
	@$(call say,unit,pytest tests/unit)
	@$(RUN)/pytest tests/unit $(SPREAD) --dist worksteal $(PYTEST_ARGS)

integration: $(DEV) ## Tests against moto and servers on this machine
	@$(call say,integration,pytest tests/integration)
	@$(RUN)/pytest tests/integration $(SPREAD) --dist loadfile $(PYTEST_ARGS)

# Playwright drives the machine's own Chromium, and is installed only where there is one.
CHROMIUM ?= $(firstword $(shell command -v chromium chromium-browser google-chrome-stable google-chrome 2>/dev/null))
PLAYWRIGHT = .tools/browser/lib/python3.13/site-packages

browser: $(DEV) $(if $(CHROMIUM),$(BROWSER)) ## The report in a real browser, where the machine has Chromium or Chrome
	@$(call say,browser,pytest tests/browser)
	@CHROMIUM='$(CHROMIUM)' PYTHONPATH=$(PLAYWRIGHT) $(RUN)/pytest tests/browser $(PYTEST_ARGS)

# Spark starts the Java it finds; without one the tests of the jobs are skipped, but not in CI.
SPARK_PACKAGES = .tools/spark/lib/python3.13/site-packages

bulk-test: $(DEV) $(SPARK) ## The jobs of the bulk data sets, on local Spark, where the machine has Java 17
	@$(call say,bulk-test,pytest tests/bulk)
	@PYTHONPATH=$(SPARK_PACKAGES) $(RUN)/pytest tests/bulk -n 2 --dist worksteal $(PYTEST_ARGS)

e2e: $(DEV) $(SAM) $(EMULATOR) $(FAULTS) ## Tests against the stack, deployed to the emulator, but for the long ones
	@$(call say,e2e,pytest tests/e2e)
	@$(RUN)/pytest tests/e2e -m 'not long' $(PYTEST_ARGS)

long: $(DEV) $(SAM) $(EMULATOR) $(FAULTS) bulk-test ## What takes minutes: Spark, and hundreds of snapshots on the stack
	@$(call say,long,pytest tests/e2e)
	@$(RUN)/pytest tests/e2e -m long $(PYTEST_ARGS)

format: $(DEV) ## Format the code and fix what ruff can fix
	@$(RUN)/ruff check --fix-only --quiet .
	@$(RUN)/ruff format .

lint-ruff: $(DEV)
	@$(call say,ruff,style and formatting)
	@$(RUN)/ruff check --quiet --output-format concise .
	@$(RUN)/ruff format --check --quiet . || { echo 'These files are not formatted (make format does it):'; $(RUN)/ruff format --check . ; }

lint-types: $(DEV)
	@$(call say,mypy,types)
	@$(RUN)/mypy --no-error-summary

lint-imports: $(DEV)
	@$(call say,imports,layers of the code)
	@log=$$($(RUN)/lint-imports --no-cache --no-logo 2>&1) || { echo "$$log"; exit 1; }

lint-template: $(DEV)
	@$(call say,cfn-lint,template.yaml and stacks)
	@$(RUN)/cfn-lint template.yaml stacks/*.yaml

lint-sam: $(SAM)
	@$(call say,sam,sam validate --lint)
	@log=$$($(SAM_CLI) validate --lint --region us-east-1 2>&1) || { echo "$$log"; exit 1; }

lint-checkov: $(CHECKOV)
	@$(call say,checkov,security of template.yaml and stacks)
	@log=$$(.tools/checkov/bin/checkov --config-file .checkov.yaml --file template.yaml stacks/*.yaml \
	    --framework cloudformation --skip-download --quiet --compact 2>&1) || \
	    { echo "$$log"; exit 1; }

lint-bandit: $(SECURITY)
	@$(call say,bandit,weaknesses in the code)
	@log=$$(.tools/security/bin/bandit --quiet --recursive --configfile pyproject.toml $(CODE) 2>/dev/null) || \
	    { echo "$$log"; exit 1; }

lint-schema: $(DEV)
	@$(call say,schema,generated files match schema.py and queries)
	@$(RUN)/python -m tools.schema --check

# All code but the tests; ruff's rules of the same kind (S) look at those too.
CODE := layers/common/spotify_lake functions local cli queries tools $(wildcard jobs)

audit: $(DEV) $(SECURITY) ## Check every locked package for known vulnerabilities, where that data is reachable
	@$(call say,audit,known vulnerabilities of the locked packages)
	@$(RUN)/python -m tools.audit

LOCKS := $(wildcard requirements/*.txt layers/*/requirements.txt functions/*/requirements.txt)

lint-locks:
	@$(call say,locks,no addresses or local paths in lock files)
	@! grep -nE '://|--(extra-)?index-url|--find-links|--trusted-host| @ ' $(LOCKS) || \
	    { echo 'Lock files name packages, versions and hashes only: run make lock.'; exit 1; }

##@ Upkeep

.PHONY: help tools schema bench costs lock clean

help: ## List these tasks
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@ / { printf "\n$(BOLD)%s$(PLAIN)\n", substr($$0, 5) } \
	    /^[a-z0-9-]+:.*## / { printf "  $(CYAN)%-12s$(PLAIN) %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

tools: $(DEV) $(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(FAULTS) ## Install all environments now; other tasks install what they need

schema: $(DEV) ## Write what is generated from schema.py and queries/: tables, views, saved queries, docs
	@$(RUN)/python -m tools.schema

.PHONY: bench-charts

bench-charts: $(DEV) $(SPARK) ## The charts job on 26 million rows beside DuckDB, for docs/bulk.md: ten minutes, 20 GB of disk
	@PYTHONPATH=jobs $(RUN)/python -m bench.charts $(ROWS)
	@$(RUN)/python -m bench --page

.PHONY: fuzz
fuzz: $(DEV) ## Mutated playlists against decoder and rules: make fuzz CASES=100000 SEED=7; some minutes
	@$(RUN)/python -m tests.support.fuzz $(call option,--cases,CASES) $(call option,--seed,SEED)

bench: $(DEV) $(SAM) $(EMULATOR) ## Measure speed, memory, cold starts, requests and queries: bench/results.md [QUICK=1 WHAT=transform]
	@$(RUN)/python -m bench $(if $(QUICK),--quick) $(WHAT)
	@$(if $(QUICK),,$(MAKE) costs)

costs: $(DEV) ## Compute docs/costs.md from what was measured and bench/prices.toml
	@$(RUN)/python -m bench.cost

# Layers first: what they ship decides the versions in .venv. Pins stay unless UPGRADE=1.
lock: $(UV) ## Resolve all lock files again; UPGRADE=1 takes newer versions
	@set -e; export PATH="$(CURDIR)/.tools/uv/bin:$$PATH"; \
	for layer in common pandas; do \
	    $(call say,lock,layers/$$layer/requirements.txt); \
	    $(MAKE) --silent -C layers/$$layer lock LOCK_FLAGS="$(if $(UPGRADE),--upgrade)"; \
	done; \
	for name in uv dev sam emulator checkov security browser faults spark; do \
	    $(call say,lock,requirements/$$name.txt); \
	    uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.13 --generate-hashes \
	        --custom-compile-command 'make lock' requirements/$$name.in --output-file requirements/$$name.txt; \
	done

clean: ## Remove environments, build output and caches; stops the laptop stack first
	@if [ -e .local/state.json ] && ! $(RUN)/python -m local down; then \
	    echo 'The laptop stack could not be stopped, so nothing was removed: see .local/state.json for its processes.'; exit 1; \
	fi
	@rm -rf .local .aws-sam .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find functions layers local cli tools tests jobs -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# --- Environments ---------------------------------------------------------------------------

# A python3.13 on PATH may be a version manager's stand-in that refuses to run, so each candidate is tried.
define find_python
	for candidate in "$(PYTHON)" python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python3.13 python3 \
	        "$$(uv python find --no-python-downloads 3.13 2>/dev/null || true)"; do \
	    python=$$("$$candidate" -c 'import sys; sys.version_info[:2] == (3, 13) and print(sys.executable)' 2>/dev/null || true); \
	    if [ -n "$$python" ]; then break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'Spotify Lake needs Python 3.13, and none was found. Install it (pyenv install 3.13, uv python install 3.13,' >&2; \
	    echo 'brew install python@3.13, ...), or name it: make PYTHON=/path/to/python3.13' >&2; \
	    exit 1; \
	fi
endef

not_installed = echo 'The packages could not be installed: see above. It takes a network, or a package index' \
    'that pip and uv are configured for.' >&2; exit 1

# A working, recent uv on PATH is used; otherwise the locked one is installed.
$(UV): requirements/uv.txt
	@$(call say,install,uv)
	@set -e; \
	rm -rf $(@D); \
	case "$$(uv --version 2>/dev/null || true)" in \
	    ''|'uv 0.'[0-9].*) \
	        $(find_python); \
	        "$$python" -m venv $(@D); \
	        $(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement $< || \
	            { $(not_installed); };; \
	    *) \
	        mkdir -p $(@D)/bin; \
	        ln -s "$$(command -v uv)" $(UV_CLI);; \
	esac
	@touch $@

# $(call install,environment): what the lock file says, exactly, in an environment of its own
define install
	@$(call say,install,$(1) from $<)
	@set -e; \
	$(find_python); \
	$(1)/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	    $(UV_CLI) venv --quiet --clear --no-python-downloads --python "$$python" $(1); \
	$(UV_CLI) pip sync --quiet --python $(1)/bin/python --require-hashes $< || { $(not_installed); }
endef

# The package of layers/common is found through a .pth file: PYTHONPATH would reach the emulated functions too.
$(DEV): requirements/dev.txt | $(UV)
	$(call install,.venv)
	@echo ../../../../layers/common > .venv/lib/python3.13/site-packages/spotify_lake.pth
	@touch $@

$(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(BROWSER) $(FAULTS) $(SPARK): .tools/%/.installed: requirements/%.txt | $(UV)
	$(call install,.tools/$*)
	@touch $@
