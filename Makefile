# A machine needs Go (the version that go.mod names) with a C compiler for the race detector,
# python3 and redis-server; "make tools" installs the last two where there is apt-get, and
# builds everything else from source into .tools/bin.

FUZZTIME ?= 20s
SEEDS    ?= 2000
FIRST    ?= 1
BENCH    ?= .
EXECUTORS ?= 4
DURATION ?= 45s
TASKS    ?= 1000000
SEED     ?= 0
EXAMPLES ?= 10
FLAGS    ?=
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# V=1 shows the output of tests that pass, too. REPEAT=1 repeats failed tests that are marked as
# timing-dependent, once and by themselves, and prints which.
report := go run ./test/tools/testreport $(if $(V),-v) $(if $(REPEAT),-repeat) --

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## a static binary, bin/bucketmill
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w -X main.version=$(VERSION)' -o bin/bucketmill ./cmd/bucketmill

# The packages whose tests take longest come first, so that they don't run by themselves at the end.
packages := go list ./... | grep -Ev '/test/(e2e|chaos|apitest)$$' | \
	awk '/\/(cmd\/bucketmill|executor|state)$$/ { print; next } { rest = rest $$0 "\n" } END { printf "%s", rest }'

test: ## vet, then every test but e2e, chaos and api, with the race detector and real servers; a skipped test fails; about ten minutes on two cores (V=1: all output; REPEAT=1: those that depend on time get a second try)
	./test/tools/get.sh redis-server minio python3
	go vet ./...
	$(report) go test -race -count=1 -vet=off -timeout=30m $$($(packages))

e2e: images ## the tests in containers; needs Docker
	./test/tools/get.sh compose
	$(report) go test -race -count=1 -vet=off -timeout=15m ./test/e2e

api: ## the API against its document: linters, schemathesis (EXAMPLES, SEED), and clients generated for Go, Python, TypeScript; needs PyPI and npm's registry
	./test/tools/get.sh redis-server minio python3 venv
	./test/apitest/setup.sh
	go test -count=1 -v -vet=off -timeout=20m ./test/apitest -examples $(EXAMPLES) -seed $(SEED) $(FLAGS)

chaos: ## breaks things under real processes for DURATION (45s), seeded by SEED; FLAGS: see test/chaos/main_test.go
	./test/tools/get.sh redis-server minio python3
	$(report) go test -count=1 -vet=off -timeout=0 ./test/chaos -run 'Oracle|Chaos' -duration $(DURATION) -seed $(SEED) $(FLAGS)

scale: ## a job of TASKS tasks on a real Redis, with EXECUTORS executors that do nothing
	./test/tools/get.sh redis-server
	go test -count=1 -v -vet=off -timeout=0 ./test/scale -tasks $(TASKS) -executors $(if $(filter command line,$(origin EXECUTORS)),$(EXECUTORS),10000) $(FLAGS)

paper: ## the runs of the MapReduce paper's sort: normal, slow executor without and with backups, executors killed
	./test/tools/get.sh redis-server minio
	go test -count=1 -v -vet=off -timeout=0 ./test/chaos -run Paper $(FLAGS)

update-pages: ## writes what the commands of README.md and the other pages print today into them
	./test/tools/get.sh python3
	go test -count=1 ./test/pages -run TestPages -update

quick: ## the tests of packages that need no server, without the race detector
	go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | \
		awk '!/\/test\/(testservices|e2e)|\/cmd\/bench / { print $$1 }' | xargs go test

lint: ## formatting, vet and the linters of .golangci.yml
	./test/tools/get.sh gofumpt golangci-lint
	@unformatted=$$(.tools/bin/gofumpt -l .); \
		if [ -n "$$unformatted" ]; then echo "make format would change:" $$unformatted >&2; exit 1; fi
	go vet ./...
	.tools/bin/golangci-lint run ./...

format: ## gofumpt on everything
	./test/tools/get.sh gofumpt
	.tools/bin/gofumpt -w .

fuzz: ## each fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) ./test/tools/fuzz.sh

simulate: ## SEEDS (2000) simulated runs of the whole control plane, from seed FIRST (1) on
	go test ./test/simulation -count=1 -timeout=0 -run='TestSeeds$$' -v -seeds=$(SEEDS) -first=$(FIRST)

bench: ## beside rivals: Go by hand, awk, sort, grep, Python; FLAGS: --case, --size small, --runs, --rivals, --peer, --markdown
	./test/tools/get.sh redis-server minio python3
	go run ./cmd/bench $(FLAGS)

hotpaths: ## Go benchmarks of the hot paths; BENCH selects by pattern
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

images: build ## the container images of docker-compose.yml and of the tests; see deploy/images/README.md
	./deploy/images/make.sh

up: images ## a cluster in containers with EXECUTORS (4) executors, API at 127.0.0.1:8080
	./test/tools/get.sh compose
	./deploy/cluster.sh up $(EXECUTORS)

down: ## takes that cluster away, with its data
	./deploy/cluster.sh down

tools: ## all programs that the targets above run: servers, python3, linters
	./test/tools/get.sh

.PHONY: help build test e2e api chaos paper scale update-pages quick lint format fuzz simulate bench hotpaths images up down tools
