# The only commands a newcomer needs. Each sets up what it needs first; the work is in tools/.
.SUFFIXES:

NATIVE := $(shell find native -name target -prune -o -type f -print)
SETUP := .venv/.setup

export B T SCALE

.PHONY: help setup demo test check bench torture screenshots

help:
	@echo 'make setup        .venv with everything built (release); says what is missing and how to get it'
	@echo 'make demo         the bundled profile, live in the console; headless without a terminal'
	@echo 'make test         everything that must pass'
	@echo 'make check        format, lint, types, import contracts, generated files'
	@echo 'make bench        benchmarks beside their references; B=name for one'
	@echo 'make torture      the promises at their full figures; T=P1 for one, SCALE=ci for a tenth'
	@echo 'make screenshots  regenerates screenshots/'

setup: $(SETUP)

$(SETUP): requirements.lock pyproject.toml tools/setup $(NATIVE)
	tools/setup
	@touch $@

demo: $(SETUP)
	tools/demo

test: $(SETUP)
	tools/test

check: $(SETUP)
	tools/check

bench: $(SETUP)
	tools/bench $(B)

torture: $(SETUP)
	tools/torture

screenshots: $(SETUP)
	tools/screenshots
