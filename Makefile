# meshdiag: build, try, test. Start with `make demo`, then `make test`.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help build install demo test lint bench bench-accuracy worlds tools lab clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 20

build: bin/meshdiag ## build bin/meshdiag

.PHONY: bin/meshdiag
bin/meshdiag:
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./cmd/meshdiag

install: build ## put meshdiag in $(PREFIX)/bin (default /usr/local)
	install -D -m 0755 bin/meshdiag $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/meshdiag

tools: ## check for clang, PostgreSQL, Rust ...; install Debian packages where that is possible, saying so
	@scripts/tools

lab: tools ## build the sound stand-in Mesher
	@$(GO) run ./lab/cmd/lab build

demo: tools build ## boot a healthy Mesher against a real PostgreSQL, then diagnose three deaths
	@$(GO) run ./lab/cmd/lab demo --meshdiag bin/meshdiag

test: tools build lab ## every test, with vet, formatting and staticcheck
	@scripts/lint
	$(GO) test -timeout 20m ./...

lint: ## gofmt, go vet, staticcheck
	@scripts/lint

bench: tools build ## whole-process time and memory against gdb and the untraced program, and slowdown of traced programs
	@$(GO) run ./bench/speed --meshdiag bin/meshdiag

bench-accuracy: tools build ## run every labelled fault of the lab and grade the reports
	@$(GO) run ./bench/accuracy --meshdiag bin/meshdiag

worlds: tools build ## run a sound program in worlds that are broken, and print the table of the README
	@$(GO) run ./bench/worlds --meshdiag bin/meshdiag

clean: ## remove what was built here
	rm -rf bin .cache lab/target
