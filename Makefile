# `make` lists what there is.

SHELL := /bin/bash
INPUT ?=
OUTPUT ?=
ENGINE ?=
export INPUT OUTPUT ENGINE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

.PHONY: deps
deps: ## install the Debian packages that the project needs
	@scripts/deps.sh

.PHONY: run
run: ## run INPUT (a sample) as a batch and write OUTPUT; ENGINE=http://host:port in place of the simulator
	@scripts/run.sh

.PHONY: serve
serve: ## keep scheduler and gateway running in the foreground
	@scripts/serve.sh

.PHONY: build
build: deps ## build the release products
	@scripts/release.sh

.PHONY: test
test: ## everything: lint, generated code, unit tests, end to end with the official SDK
	@scripts/test.sh

.PHONY: lint
lint: ## check the formatting
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks examples

.PHONY: format
format: ## format all sources
	swift format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks examples

.PHONY: protos
protos: deps ## generate the C and Swift code of the .proto files
	protos/plugin/generate.sh
	scripts/check_protos.sh --update

.PHONY: check-protos
check-protos: deps ## check that the generated code is that of the .proto files
	@scripts/check_protos.sh

BASE_URL ?=
API_KEY ?=
MODEL ?=
JSON ?=
ARGUMENTS ?=
export BASE_URL API_KEY MODEL

.PHONY: conformance
conformance: deps ## hold BASE_URL (the pair), with API_KEY and MODEL, against the OpenAI API item by item; JSON=FILE
	@scripts/conformance.sh $(if $(JSON),--json $(JSON)) $(ARGUMENTS)

.PHONY: conformance-compare
conformance-compare: deps ## the same checks against AIBrix and OGX from PyPI as well; writes docs/conformance.md
	@scripts/conformance_compare.sh

.PHONY: bench
bench: ## measure against a bare libcurl loop (Benchmarks/)
	@scripts/deps.sh bench
	@Benchmarks/bench.sh

.PHONY: bench-online
bench-online: ## measure online requests against the engine alone and against nginx as a proxy
	@scripts/deps.sh bench
	@Benchmarks/bench_online.sh

.PHONY: bench-aibrix
bench-aibrix: ## measure against AIBrix 0.8.0 (installs it from PyPI)
	@scripts/deps.sh bench
	@Benchmarks/bench_aibrix.sh

.PHONY: bench-tls
bench-tls: deps ## measure TLS by libssl against swift-nio-ssl and plaintext
	@Benchmarks/bench_tls.sh

.PHONY: bench-rpc
bench-rpc: deps ## measure calls and streams against raw frames and grpc-swift-2
	@Benchmarks/bench_rpc.sh

.PHONY: bench-durability
bench-durability: ## measure what syncing costs, and how fast a full store is up again after kill -9
	@scripts/deps.sh bench
	@Benchmarks/bench_durability.sh

.PHONY: bench-transfers
bench-transfers: ## measure uploads and downloads of 200 MB against nginx, and their memory
	@scripts/deps.sh bench
	@Benchmarks/bench_transfers.sh

.PHONY: study-large-upload
study-large-upload: deps ## upload 8 GiB in parts, have them composed, and print times and memory; needs 17 GB of disk
	@Benchmarks/large_upload.sh

SEEDS ?= 20
FIRST ?= 1
BATCHES ?= 90
LINES ?= 900
SCENARIO ?= dense
export SEEDS FIRST BATCHES LINES SCENARIO

.PHONY: simulate
simulate: deps ## run whole schedulers under SEEDS seeds from FIRST on; SCENARIO=dense (an hour of faults) or long (60 days)
	@scripts/simulate.sh

MINUTES ?= 30
SEED ?=
export MINUTES SEED

.PHONY: soak
soak: deps ## run the services for MINUTES (30) with random kills and faults of SEED (random), and check everything
	@scripts/soak.sh

.PHONY: soak-wire
soak-wire: export MINUTES = 10
soak-wire: deps ## run calls and streams for MINUTES (10) under random resets, rude peers and cancels, with and without TLS
	@scripts/soak_wire.sh

SECONDS ?= 600

.PHONY: fuzz
fuzz: deps ## fuzz what reads a peer's bytes for SECONDS (600); what is found stays for the next run
	@scripts/fuzz.sh $(SECONDS) $(SEED)

.PHONY: mutate
mutate: deps ## take the protections away one at a time and see the named test fail
	@python3 -B scripts/mutate.py --work .build/mutants

.PHONY: clean
clean: ## remove what builds leave
	rm -rf .build .venv out
