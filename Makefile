# Everything goes to build/. `make build`, `make test` and `make demo` need go, gcc, make and git, nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := $(CURDIR)/build/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
VERSION_PKG := github.com/cosmos/cosmos-sdk/version
LDFLAGS := -s -w -X $(VERSION_PKG).Name=mesh -X $(VERSION_PKG).AppName=meshd \
	-X $(VERSION_PKG).Version=$(VERSION) -X $(VERSION_PKG).Commit=$(COMMIT)

# Exact versions: lists of versions are not always available.
GOLANGCI_LINT_VERSION := v2.15.0
TEST_TIMEOUT ?= 20m
PROPERTY_TIMEOUT ?= 60m

.PHONY: help
help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the node, build/meshd
	go build -ldflags '$(LDFLAGS)' -o build/meshd ./cmd/meshd

.PHONY: install
install: ## install meshd into GOPATH/bin
	go install -ldflags '$(LDFLAGS)' ./cmd/meshd

.PHONY: test
test: ## all tests: unit, two chains, property
	go test -timeout $(TEST_TIMEOUT) ./...

.PHONY: test-unit
test-unit: ## unit tests only, no two-chain and property tests
	go test -timeout $(TEST_TIMEOUT) $$(go list ./... | grep -v /tests)

.PHONY: test-property
test-property: ## property tests, longer with MESH_STEPS=100000
	go test -timeout $(PROPERTY_TIMEOUT) -count 1 -v -run 'Property' ./...

# Each run of 250 steps has a seed of its own, and they count up: what a run ended with names the next one. A run that failed
# is run again by its seed and STEPS=250.
SEED ?= 1
STEPS ?= 200000

.PHONY: test-long
test-long: ## two chains under STEPS (200000) random steps from SEED (1) on; what is reached is counted at the end
	MESH_SEED=$(SEED) MESH_STEPS=$(STEPS) go test -timeout 0 -count 1 -v -run 'TestPropertyTwoChainsKeepEveryInvariant' ./tests

# Read by the tests themselves; `make test` runs a small simulation.
SIM_SEED ?= 13
SIM_BLOCKS ?= 120
SIM_OPS ?= 100

.PHONY: test-sim
test-sim: ## the SDK's simulation of one chain, SIM_BLOCKS (120) blocks of about SIM_OPS (100) messages
	MESH_SIM_SEED=$(SIM_SEED) MESH_SIM_BLOCKS=$(SIM_BLOCKS) MESH_SIM_OPS=$(SIM_OPS) go test -timeout $(PROPERTY_TIMEOUT) -count 1 -run 'Simulation' ./app

# Only where several goroutines meet: state machine code has none.
.PHONY: test-race
test-race: ## the race detector over queries during blocks, the observer and the commands
	go test -race -timeout $(TEST_TIMEOUT) -run 'EP08' ./app
	go test -race -timeout $(TEST_TIMEOUT) ./internal/observer ./cmd/...

# Only what has benchmarks is built.
BENCH_TIME ?= 20x
BENCH_PACKAGES = $(sort $(dir $(shell grep -rl --include='*_test.go' '^func Benchmark' ./internal ./tests ./x)))

.PHONY: bench
bench: ## benchmarks with ns/op and gas/op
	go test -timeout $(TEST_TIMEOUT) -run '^$$' -bench . -benchtime $(BENCH_TIME) $(BENCH_PACKAGES)

# Go fuzzes one target of one package at a time. What a target finds is kept in its package's testdata/fuzz.
FUZZ_TIME ?= 30s
FUZZ_DIRS = ./app ./cmd ./internal ./tests ./x

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME (30s)
	@set -eo pipefail; grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $(FUZZ_DIRS) | sed 's/:func /:/' | sort | \
	while IFS=: read -r file target; do \
		echo "$$target ($$(dirname $$file))"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 10x "$$(dirname $$file)" </dev/null; \
	done

.PHONY: lint
lint: $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## go vet and golangci-lint
	$< run ./...

.PHONY: format
format: $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## format the Go code
	$< fmt ./...

# The file name carries the version, so a new pin is installed at once.
$(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

.PHONY: proto-gen
proto-gen: protoc ## generate Go code from proto/ (installs protoc with apt-get if it is missing)
	./scripts/proto-gen.sh

.PHONY: proto-check
proto-check: proto-gen ## fail if generated code is not what proto/ says
	./scripts/proto-check.sh

.PHONY: protoc
protoc:
	@command -v protoc >/dev/null || ./scripts/install-protoc.sh

KILLS ?= 30
SEED ?= 1

.PHONY: torture
torture: build build/rly build/bin/demo ## kill real nodes KILLS (30) times and the relayer as often, under load
	@build/bin/demo -torture $(KILLS) -seed $(SEED)

.PHONY: demo
demo: build build/rly build/bin/demo ## two real chains and a relayer, the whole story (KEEP=1 leaves them running)
	@build/bin/demo $(if $(KEEP),-keep)

.PHONY: demo-stop
demo-stop: build/bin/demo ## end what `make demo KEEP=1` has left running
	@build/bin/demo -stop

.PHONY: build/bin/demo
build/bin/demo:
	go build -o $@ ./demo

# The relayer has a module of its own: its dependencies are not the chain's.
build/rly: tools/relayer/go.mod tools/relayer/go.sum
	cd tools/relayer && go build -o $(CURDIR)/build/rly github.com/cosmos/relayer/v2

.PHONY: clean
clean: demo-stop ## remove everything that was built
	rm -rf build
