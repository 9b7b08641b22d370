# `make demo` and `make test` are all that a fresh machine with a Swift toolchain needs.
SHELL := /bin/bash
SELLOUT := .build/release/sellout
SOAK_RUNS := 20
.DEFAULT_GOAL := help
.PHONY: help setup build demo test soak lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing from Debian's packages
	@.ci/setup

build: setup ## build for release
	swift build -c release --product sellout

demo: build ## run a flash sale in this terminal; ARGS="--durability memory …" are its arguments
	@$(SELLOUT) demo $(ARGS)

# The sales and the whole program come first, alone on the machine, for people wait for a screen; the last lines are the test
# runner's own.
test: build ## run all tests: 3 sales with a crash at each durability, the program in a terminal, then the other suites
	@.ci/soak 3 $(SELLOUT)
	swift test --disable-xctest --filter ProgramTests
	swift test --disable-xctest --skip ProgramTests

soak: build ## run 20 sales of 8 s with a crash at each durability; SOAK_RUNS=n for another number
	@.ci/soak $(SOAK_RUNS) $(SELLOUT)

lint: ## check the formatting
	swift format lint --strict --recursive Package.swift Sources Tests

clean: ## remove what was built
	swift package clean
