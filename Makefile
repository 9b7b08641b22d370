# `make demo` and `make test` are all that a fresh machine with a Swift toolchain needs.
SHELL := /bin/bash
SELLOUT := .build/release/sellout
SOAK_RUNS := 20
TORTURE_SECONDS := 3600
TORTURE_SEEDS := 60000
.DEFAULT_GOAL := help
.PHONY: help setup build demo test soak torture bench lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing from Debian's packages
	@.ci/setup

build: setup ## build for release
	swift build -c release --product sellout

demo: build ## run a flash sale in this terminal; ARGS="--durability memory …" are its arguments
	@$(SELLOUT) demo $(ARGS)

# The sales and the whole program come first, alone on the machine, for people wait for a screen; simulated worlds and tortures
# keep their threads busy, which others must not wait for. The last lines are the test runner's own.
test: build ## run all tests: 3 sales with a crash at each durability, a short torture, the program in a terminal, then the other suites
	@.ci/soak 3 $(SELLOUT)
	$(SELLOUT) torture --sim --seeds 1000
	$(SELLOUT) torture --seconds 20 --seed 1
	$(SELLOUT) torture --seconds 30 --seed 2 --topology cluster
	$(SELLOUT) torture --seconds 20 --seed 3 --topology replicated
	swift test --disable-xctest --filter ProgramTests
	swift test --disable-xctest --filter TortureTests
	swift test --disable-xctest --filter SimulationTests
	swift test --disable-xctest --experimental-maximum-parallelization-width 4 --skip 'ProgramTests|TortureTests|SimulationTests'

soak: build ## run 20 sales of 8 s with a crash at each durability; SOAK_RUNS=n for another number
	@.ci/soak $(SOAK_RUNS) $(SELLOUT)

torture: build ## torture sales for long: TORTURE_SEEDS=n simulated, TORTURE_SECONDS=n of real processes on each topology
	$(SELLOUT) torture --sim --seeds $(TORTURE_SEEDS)
	$(SELLOUT) torture --seconds $(TORTURE_SECONDS) --seed 1000
	$(SELLOUT) torture --seconds $(TORTURE_SECONDS) --seed 2000 --topology cluster
	$(SELLOUT) torture --seconds $(TORTURE_SECONDS) --seed 3000 --topology replicated
	$(SELLOUT) torture --seconds $(TORTURE_SECONDS) --seed 4000 --topology replicated --durability replicated:2
	$(SELLOUT) torture --seconds $(TORTURE_SECONDS) --seed 5000 --durability aof

bench: build ## measure how fast orders are taken, what a million SKUs weigh and what the screen costs, and write the tables to Sources/BENCH.md; ARGS="--rounds 5 …" are its arguments
	@{ $(SELLOUT) bench $(ARGS) && echo && $(SELLOUT) bench --memory && echo && $(SELLOUT) bench --ui; } > Sources/BENCH.md.new && mv Sources/BENCH.md.new Sources/BENCH.md && cat Sources/BENCH.md

lint: ## check the formatting
	swift format lint --strict --recursive Package.swift Sources Tests

clean: ## remove what was built
	swift package clean
