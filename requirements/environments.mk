# The environments below .venv and .tools, each with what its lock file says: `make .tools/sam/.installed` makes one.

# Each environment is up to date when its stamp is newer than its lock file.
UV := .tools/uv/.installed
DEV := .venv/.installed
SAM := .tools/sam/.installed
EMULATOR := .tools/emulator/.installed
CHECKOV := .tools/checkov/.installed
SECURITY := .tools/security/.installed
PLAYWRIGHT := .tools/browser/.installed
FAULTS := .tools/faults/.installed
SPARK := .tools/spark/.installed
EXAMPLES := .tools/examples/.installed
UV_CLI := .tools/uv/bin/uv

# Wheels only: building a package runs its code, with build tools that no lock file names. PySpark has no wheel.
WHEELS := --only-binary :all: --no-binary pyspark

# Layers first: what they ship decides the versions in .venv. Pins stay unless UPGRADE=1.
lock: $(UV) ## Resolve all lock files again; UPGRADE=1 takes newer versions
	@set -e; export PATH="$(CURDIR)/.tools/uv/bin:$$PATH"; \
	for layer in common pandas; do \
	    $(call say,lock,layers/$$layer/requirements.txt); \
	    $(MAKE) --silent -C layers/$$layer lock LOCK_FLAGS="$(if $(UPGRADE),--upgrade)"; \
	done; \
	for name in uv dev sam emulator checkov security browser faults spark examples; do \
	    $(call say,lock,requirements/$$name.txt); \
	    uv pip compile --quiet $(if $(UPGRADE),--upgrade) $(WHEELS) --universal --python-version 3.13 --generate-hashes \
	        --custom-compile-command 'make lock' requirements/$$name.in --output-file requirements/$$name.txt; \
	done

# Says in one sentence why the Python that PYTHON names cannot be used.
define check_python
	said=$$("$$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1) && status=0 || status=$$?; \
	case "$$status $$said" in \
	    '0 3.13') why=;; \
	    '0 '[0-9].[0-9]*) why="is Python $$said";; \
	    127\ *) why='names no program';; \
	    126\ *) why='names nothing that can be run';; \
	    *) why="did not answer as Python does (exit status $$status)";; \
	esac; \
	if [ -n "$$why" ]; then \
	    echo "PYTHON=$$PYTHON $$why; name a Python 3.13, or leave PYTHON out and one is looked for." >&2; \
	    exit 1; \
	fi
endef

# Also where nothing has to be installed: what a person gave is never ignored.
ifneq ($(filter PYTHON=%,$(MAKEOVERRIDES)),)
$(or $(MAKECMDGOALS),help): | named-python
endif

named-python:
	@$(check_python)

# A python3.13 on PATH may be a version manager's stand-in that refuses to run, so each candidate is tried.
define find_python
	if [ -n "$${PYTHON:-}" ]; then $(check_python); fi; \
	for candidate in "$${PYTHON:-python3.13}" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python3.13 python3 \
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
	        $(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: --requirement $< || \
	            { $(not_installed); };; \
	    *) \
	        mkdir -p $(@D)/bin; \
	        ln -s "$$(command -v uv)" $(UV_CLI);; \
	esac
	@touch $@

# Before the first environment: .venv alone has 620 MB, and what make demo installs, builds and writes 2 GB.
need_room = if [ ! -e .venv ] && [ "$$(df -Pk . | awk 'END { print $$4 }')" -lt 700000 ]; then \
    echo 'The disk is too full: Spotify Lake needs about 2 GB here, and less than 0.7 GB are free.' >&2; exit 1; fi

# $(call install,environment): what the lock file says, exactly, in an environment of its own
define install
	@$(call say,install,$(1) from $<)
	@set -e; \
	$(need_room); \
	$(find_python); \
	$(1)/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	    $(UV_CLI) venv --quiet --clear --no-python-downloads --python "$$python" $(1); \
	$(UV_CLI) pip sync --quiet --python $(1)/bin/python --require-hashes $(WHEELS) $< || { $(not_installed); }
endef

# The code is found through a .pth file: PYTHONPATH would reach the emulated functions too.
$(DEV): requirements/dev.txt requirements/environments.mk | $(UV)
	$(call install,.venv)
	@printf '../../../../%s\n' '' layers/common jobs > .venv/lib/python3.13/site-packages/spotify_lake.pth
	@touch $@

$(SAM) $(EMULATOR) $(CHECKOV) $(SECURITY) $(PLAYWRIGHT) $(FAULTS) $(SPARK) $(EXAMPLES): .tools/%/.installed: requirements/%.txt | $(UV)
	$(call install,.tools/$*)
	@touch $@
