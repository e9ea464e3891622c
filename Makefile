# `make` lists the targets; `make demo` sets everything up and trains a first model.
# All paths are relative, because make cannot quote a folder that has a space in its name.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.complete

.PHONY: help demo check test notebooks docs setup clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## set up, train a forecaster and a translator and say where their reports are
	@$(BIN)/lstmlab train sine
	@$(BIN)/lstmlab train translate-demo

check: $(STAMP) ## style, imports and the fast tests: less than a minute
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-logo
	$(TEST) -m "not slow"

test: $(STAMP) ## everything that is checked: eight to nine minutes on two cores
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(TEST)

# Two processes with one thread each: torch's own threads would only get in each other's way. A file stays in one process, so
# that what its tests share is trained once.
# Byte code is kept even where Python is told not to, as tests are compiled anew each time otherwise.
TEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile

# Reviews may not be handed on, and the sentences of SICK only under its own licence: the notebooks of `mr` and
# `entailment-sick` come without outputs, which would show some. That of `char-shakespeare` is small: in full it takes
# half an hour.
NOTEBOOKS := sine parity translate-demo mr pos-ewt char-shakespeare indoor-movement entailment-sick
notebooks: $(STAMP) ## write the notebooks of notebooks/ anew and run them: about twelve minutes
	@for name in $(NOTEBOOKS); do \
	  case $$name in mr|entailment-sick) how=--no-run ;; char-shakespeare) how=--small ;; *) how= ;; esac; \
	  rm -f notebooks/$$name.new.ipynb; \
	  $(BIN)/lstmlab notebook $$name seed=0 $$how --output notebooks/$$name.new.ipynb || exit 1; \
	  mv notebooks/$$name.new.ipynb notebooks/$$name.ipynb; \
	done

docs: $(STAMP) ## build the guide into build/site
	@$(BIN)/sphinx-build -q -W --keep-going -b html -d build/doctrees docs build/site
	@echo "The guide: build/site/index.html"

setup: $(STAMP) ## install lstmlab into .venv, once

clean: ## remove .venv and caches; runs/ and studies/ stay
	rm -rf .venv build dist src/*.egg-info .*_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last, so an installation that broke off starts anew. It also does when .venv lost its Python or
# belongs to a copy of lstmlab elsewhere. While the stamp stands, nothing is looked up or downloaded.
LOCATE := import importlib.util as u, os; print(os.path.samefile(u.find_spec("lstmlab").origin, "src/lstmlab/__init__.py"))
WHOLE := $(shell test -f $(STAMP) && $(BIN)/python -I -c '$(LOCATE)' 2>/dev/null)
ifneq ($(WHOLE),True)
$(STAMP): FORCE
FORCE:
endif

$(STAMP): pyproject.toml constraints.txt Makefile
	@command -v "$(PYTHON)" >/dev/null || { echo "lstmlab needs Python 3.11 to 3.14, and there is no" \
	  "$(PYTHON): install one, then run: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c "$$SUITABLE" "$(PYTHON)" "$(MAKECMDGOALS)"
	@test "$(WHOLE)" = True || rm -rf .venv
	@rm -f $(STAMP)
	@test -d .venv || "$(PYTHON)" -m venv .venv
	@echo "Installing lstmlab into .venv (once; downloads about 420 MB, with torch for CUDA about 3 GB)."
	@{ $(PIP) --quiet setuptools && $(PIP) --no-build-isolation -e ".[dev]" && touch $(STAMP); } 2>&1 | awk '$(BRIEF)'
	@test -f $(STAMP) || { echo "Installing broke off: no network, no room? (pip's account: .venv/pip.log)" \
	  "Once that is mended, start again: make $(MAKECMDGOALS)" >&2; exit 1; }

define SUITABLE
import sys
name, goal = sys.argv[1:]
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit("lstmlab needs Python 3.11 to 3.14, and %s is %d.%d.%d: install one, then run: make %s PYTHON=python3.12"
             % ((name,) + sys.version_info[:3] + (goal,)))
try:
    import ensurepip, venv
except ImportError:
    sys.exit("%s lacks its venv module: run: sudo apt install python%d.%d-venv, then again: make %s"
             % ((name,) + sys.version_info[:2] + (goal,)))
endef
export SUITABLE

# The build backend comes first and from the same list, so nothing is built with a version that nobody has tested.
PIP := $(BIN)/python -m pip --disable-pip-version-check --log .venv/pip.log install -c constraints.txt
# Of pip's output: what is large, what hangs, that the last, quiet part has begun, and everything from the first error on.
BRIEF := /(Downloading|Using cached) .*MB/ { sub(/-[0-9][^ ]*/, ""); print; fflush() } \
  /WARNING: Retrying/ { print "  No answer, trying again"; fflush() } \
  /^Installing coll/ { print "  Unpacking (a minute or two)"; fflush() } \
  /^ *(ERROR|error|Traceback)/ { failed = 1 } failed
