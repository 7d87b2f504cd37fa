# `make` alone says what there is. The first verb that needs something installs it; the second time costs nothing.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
VENDOR := web/static/vendor

# One worker a core. Tests with the same marker `browser` or `crash` stay on one worker (tests/conftest.py).
SPREAD := -n logical --maxprocesses 8 --dist loadgroup

INSTALLED := $(VENV)/.locked $(VENV)/.playhead
BROWSER   := $(VENDOR)/uPlot.esm.js
HOUSE     := $(INSTALLED) $(BROWSER)
SOURCES    = $(shell find $(wildcard playhead.py run.py) storage realtime web migrations -type f ! -path '*/__pycache__/*' ! -path '$(VENDOR)/*')

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: setup
setup: $(HOUSE)  ## .venv from the lock, and the browser's third-party files

.PHONY: run
run: $(HOUSE)  ## serve this host's dashboard; ARGS="--port 9000" are handed on
	@$(PY) run.py $(ARGS)

.PHONY: fmt
fmt: $(INSTALLED)  ## write the code as it should look
	$(PY) -m ruff check --fix --quiet . || true
	$(PY) -m ruff format .

.PHONY: lint
lint: $(INSTALLED)  ## ruff: style, and the mistakes it can see
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

.PHONY: types
types: $(INSTALLED)  ## mypy, strict
	$(PY) -m mypy

.PHONY: arch
arch: $(INSTALLED)  ## the import contracts of setup.cfg
	$(VENV)/bin/lint-imports --no-logo --config setup.cfg

.PHONY: quick
quick: $(HOUSE)  ## the tests that need seconds: no browser, no crashes, nothing slow
	$(PY) -m pytest $(SPREAD) -m "not browser and not firefox and not crash and not slow" $(ARGS)

.PHONY: test
test: $(HOUSE) chromium strace  ## every test, real Chromium, kill -9 and power cuts included
	$(PY) -m pytest $(SPREAD) -m "not firefox" $(ARGS)

.PHONY: browser
browser: $(HOUSE) chromium  ## the tests in a real Chromium
	$(PY) -m pytest -m browser $(ARGS)

.PHONY: firefox
firefox: $(HOUSE)  ## the page in a real Firefox
	@tools/debian.sh firefox
	$(PY) -m pytest -n 0 -m firefox $(ARGS)

.PHONY: cover
cover: $(HOUSE)  ## the quick tests again, and the lines and branches they missed
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -m "not browser and not firefox and not crash and not slow" $(ARGS)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

.PHONY: screenshots
screenshots: $(HOUSE) chromium  ## take the pictures of README and docs again, in a real Chromium
	PICTURES=docs/images $(PY) -m pytest tests/browser/test_pictures.py tests/browser/test_gallery.py $(ARGS)

.PHONY: bench
bench: $(HOUSE)  ## measure, and print the table
	$(PY) -m tests.bench $(ARGS)

.PHONY: openapi
openapi: $(HOUSE)  ## write docs/openapi.json from the schemas that validate requests
	$(PY) run.py openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

.PHONY: binary
binary: dist/playhead  ## the one-file dist/playhead

.PHONY: selftest
selftest: dist/playhead  ## start that very file in an empty directory, ask it, restart it, ask again
	$(PY) tools/selftest.py dist/playhead

.PHONY: check
check: lint types arch test selftest  ## every gate, as CI runs them: seconds first, minutes last

.PHONY: lock
lock: $(INSTALLED)  ## requirements.txt from the ranges in setup.cfg; ARGS=--upgrade takes the newest
	$(PY) tools/lock.py $(ARGS)

.PHONY: clean
clean:  ## everything made here, except .venv and node_modules
	rm -rf build dist $(VENDOR) .coverage .coverage.* htmlcov
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './node_modules/*' -prune -exec rm -rf {} +


# What the verbs stand on

.PHONY: chromium
chromium:
	@tools/debian.sh chromium

.PHONY: strace
strace:
	@tools/debian.sh strace

$(VENV)/bin/python:
	@PYTHON=$(PYTHON) tools/debian.sh venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: requirements.txt | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

# Editable and without its dependencies, which the lock has brought: for the `playhead` command and the version.
$(VENV)/.playhead: setup.cfg pyproject.toml $(VENV)/.locked
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BROWSER): package.json package-lock.json
	@tools/debian.sh npm
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -rf $(VENDOR) && mkdir -p $(VENDOR)
	node_modules/.bin/terser node_modules/uplot/dist/uPlot.esm.js --module --compress --mangle \
		--comments '/Copyright/' --output $(VENDOR)/uPlot.esm.js
	cp node_modules/uplot/dist/uPlot.min.css $(VENDOR)/
	cp node_modules/uplot/LICENSE $(VENDOR)/uPlot.LICENSE.txt
	@touch $@

dist/playhead: playhead.spec $(SOURCES) $(HOUSE)
	$(PY) -m PyInstaller --noconfirm --log-level WARN --distpath dist --workpath build playhead.spec
