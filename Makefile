# Spotify Lake: builds, checks and generates; `make` alone lists the tasks. `./lake` is for using a lake.
# Needs GNU make, git and Python 3.13; everything else is installed below .venv and .tools.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# An activated environment must not reach into the ones made here, and Python keeps what it has compiled.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0

# Values from people reach the shell through its environment, and make expands nothing in them.
VALUES := STACK ARTIFACTS_BUCKET EXECUTION_ROLE CHANGE_SET LAKE_PARAMETERS CASES SEED WHAT QUICK UPGRADE PYTHON PYTEST_ARGS CHROMIUM
$(foreach name,$(VALUES),$(eval override $(name) := $$(value $(name))))
export $(VALUES)
export PYTEST_ADDOPTS := $(value PYTEST_ARGS)

include requirements/environments.mk

RUN := .venv/bin
SAM_CLI := PATH="$(CURDIR)/.venv/bin:$(CURDIR)/.tools/uv/bin:$$PATH" .tools/sam/bin/sam
PACKAGES = lib/python3.13/site-packages

# make sets MAKE_TERMOUT when it writes to a terminal; no-color.org says what NO_COLOR means.
ifneq ($(and $(MAKE_TERMOUT),$(if $(NO_COLOR),,colors)),)
CYAN := \033[36m
BOLD := \033[1m
PLAIN := \033[0m
endif

# $(call say,what,details): one line per step; $(call quietly,command): its output only if it fails
say = printf '$(CYAN)%-12s$(PLAIN) %s\n' "$(1)" "$(2)"
quietly = log=$$($(1) 2>&1) || { echo "$$log"; exit 1; }

.PHONY: $(shell sed -n 's/^\([a-z0-9-][a-z0-9-]*\):.*/\1/p' $(MAKEFILE_LIST))

##@ Start

demo: ## Fill a lake on this laptop with 30 days of playlists; ./lake --help lists what else there is
	@./lake demo

##@ Deploy

build: $(DEV) $(SAM) ## Build functions and layers for Lambda
	@$(call say,build,sam build)
	@$(SAM_CLI) build

validate: $(SAM) ## Check the template as SAM reads it
	@$(SAM_CLI) validate --lint --region us-east-1

deploy: $(DEV) ## Deploy to the AWS account you are signed in to: three questions, the changes, and your yes
	@./lake deploy $${STACK:+--stack "$$STACK"}

package: build
	@$(SAM_CLI) package --use-json --output-template-file .aws-sam/packaged.json \
	    $${ARTIFACTS_BUCKET:+--no-resolve-s3 --s3-bucket "$$ARTIFACTS_BUCKET"} >/dev/null

change-set: $(DEV) ## Prepare a deployment and show what it would change; LAKE_PARAMETERS='Name=value …'
	@$(RUN)/python -m cli.change_set $${STACK:+--stack "$$STACK"} prepare \
	    --role "$$EXECUTION_ROLE" --bucket "$$ARTIFACTS_BUCKET" --parameters "$$LAKE_PARAMETERS"

apply-change-set: $(DEV) ## Carry out a change that was prepared: make apply-change-set CHANGE_SET=arn:…
	@$(RUN)/python -m cli.change_set $${STACK:+--stack "$$STACK"} apply "$$CHANGE_SET"

##@ Checks

test: $(DEV) $(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(FAULTS) ## lint, unit, integration, browser and e2e, up to the first that fails
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

# Lint steps run two at a time and all of them, where make can keep their output apart.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,$(if $(filter output-sync,$(.FEATURES)),-j2 --output-sync=target))

lint: $(DEV) $(SAM) $(CHECKOV) $(SECURITY) ## Style, types, imports, template, security, schema and lock files
	@$(MAKE) -k $(parallel) lint-types lint-checkov lint-template lint-sam lint-bandit lint-imports lint-ruff lint-schema lint-locks

# Tests that share nothing run side by side.
SPREAD := -n auto --maxprocesses 4

unit: $(DEV) ## Fast tests without any network
	@$(call say,unit,pytest tests/unit)
	@$(RUN)/pytest tests/unit $(SPREAD) --dist worksteal

integration: $(DEV) ## Tests against moto and servers on this machine
	@$(call say,integration,pytest tests/integration)
	@$(RUN)/pytest tests/integration $(SPREAD) --dist loadfile

# Playwright drives the machine's own Chromium, and is installed only where there is one.
ifeq ($(CHROMIUM),)
override CHROMIUM := $(firstword $(shell command -v chromium chromium-browser google-chrome-stable google-chrome 2>/dev/null))
endif

browser: $(DEV) $(if $(CHROMIUM),$(PLAYWRIGHT) $(EMULATOR)) ## The report, and attacks on the laptop stack, in a real browser, where there is Chromium or Chrome
	@$(call say,browser,pytest tests/browser)
	@PYTHONPATH=.tools/browser/$(PACKAGES) $(RUN)/pytest tests/browser $(SPREAD) --dist loadfile

# Spark starts the Java it finds; without one the tests of the jobs are skipped, but not in CI.
bulk-test: $(DEV) $(SPARK) ## The jobs of the bulk data sets, on local Spark, where the machine has Java 17
	@$(call say,bulk-test,pytest tests/bulk)
	@PYTHONPATH=.tools/spark/$(PACKAGES) $(RUN)/pytest tests/bulk -n 2 --dist worksteal

e2e: $(DEV) $(SAM) $(EMULATOR) $(FAULTS) ## Tests against the stack, deployed to the emulator, but for the long ones
	@$(call say,e2e,pytest tests/e2e)
	@$(RUN)/pytest tests/e2e -m 'not long' -n 2 --dist loadfile --no-loadscope-reorder

long: $(DEV) $(SAM) $(EMULATOR) $(FAULTS) $(EXAMPLES) bulk-test ## Tests that take minutes: Spark, and hundreds of snapshots on the stack
	@$(call say,long,pytest tests/e2e)
	@$(RUN)/pytest tests/e2e -m long -n 2 --dist loadfile --no-loadscope-reorder

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
	@$(call quietly,$(RUN)/lint-imports --no-cache --no-logo)

lint-template: $(DEV)
	@$(call say,cfn-lint,template.yaml and stacks)
	@$(RUN)/cfn-lint template.yaml stacks/*.yaml

lint-sam: $(SAM)
	@$(call say,sam,sam validate --lint)
	@$(call quietly,$(SAM_CLI) validate --lint --region us-east-1)

lint-checkov: $(CHECKOV)
	@$(call say,checkov,security of template.yaml and stacks)
	@$(call quietly,.tools/checkov/bin/checkov --config-file .checkov.yaml --file template.yaml stacks/*.yaml \
	    --framework cloudformation --skip-download --quiet --compact)

# All code but the tests; ruff's rules of the same kind (S) look at those too.
lint-bandit: $(SECURITY)
	@$(call say,bandit,weaknesses in the code)
	@$(call quietly,.tools/security/bin/bandit --quiet --recursive --configfile pyproject.toml \
	    layers/common/spotify_lake functions local cli queries tools jobs)

lint-schema: $(DEV)
	@$(call say,schema,generated files match schema.py and queries)
	@$(RUN)/python -m tools.schema --check

lint-locks:
	@$(call say,locks,no addresses or local paths in lock files)
	@! grep -nE '://|--(extra-)?index-url|--find-links|--trusted-host| @ ' requirements/*.txt $$(find layers functions -name requirements.txt) || \
	    { echo 'Lock files name packages, versions and hashes only: run make lock.'; exit 1; }

audit: $(DEV) $(SECURITY) ## Check every locked package for known vulnerabilities, where that data is reachable
	@$(call say,audit,known vulnerabilities of the locked packages)
	@$(RUN)/python -m tools.audit

##@ Upkeep

help: ## List these tasks
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@ / { printf "\n$(BOLD)%s$(PLAIN)\n", substr($$0, 5) } \
	    /^[a-z0-9-]+:.*## / { printf "  $(CYAN)%-16s$(PLAIN) %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: $(DEV) $(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(FAULTS) ## Install all environments now; other tasks install what they need

schema: $(DEV) ## Write what is generated from schema.py and queries/: tables, views, saved queries, docs
	@$(RUN)/python -m tools.schema

bench-charts: $(DEV) $(SPARK) ## The jobs of charts (beside DuckDB) and their forecast on 26 million rows: 20 minutes, 20 GB of disk
	@$(RUN)/python -m bench charts models

fuzz: $(DEV) ## Mutated playlists against decoder and rules: make fuzz CASES=20000 SEED=7; all 220,000 take a while
	@$(RUN)/python -m tests.support.fuzz $${CASES:+--cases "$$CASES"} $${SEED:+--seed "$$SEED"}

bench: $(DEV) $(SAM) $(EMULATOR) $(if $(CHROMIUM),$(PLAYWRIGHT)) ## Measure speed, memory, cold starts, requests and queries: bench/results.md [QUICK=1 WHAT=transform]
	@PYTHONPATH=.tools/browser/$(PACKAGES) $(RUN)/python -m bench $(if $(QUICK),--quick) $$WHAT
	@$(if $(QUICK),,$(MAKE) costs)

costs: $(DEV) ## Compute docs/costs.md and docs/scale.md from what was measured and bench/prices.toml
	@$(RUN)/python -m bench.cost && $(RUN)/python -m bench.scale

clean: ## Remove environments, build output and caches; stops the laptop stack first
	@if [ -e .local/state.json ] && ! ./lake down; then \
	    echo 'The laptop stack could not be stopped, so nothing was removed: see .local/state.json for its processes.'; exit 1; \
	fi
	@rm -rf .local .aws-sam .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find bench examples functions layers local cli queries tools tests jobs -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
