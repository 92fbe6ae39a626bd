# `make` lists the targets. Everything that CI runs is `make test`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The steps share cargo's target folder and a small machine: one after the other.
.NOTPARALLEL:

# Architecture of the packages: arm64 (what template.yaml deploys by default) or x86_64.
ARCH ?= arm64

# Also in .cargo/config.toml, which a build started outside this folder does not read: without it the first
# signature of every cold start pays for aws-lc's CPU-jitter entropy.
export AWS_LC_SYS_NO_JITTER_ENTROPY := 1
export SAM_CLI_TELEMETRY := 0
# aws-lc built for size, as it is by the profile's opt-level, has no AVX-512: on x86_64 a signature takes twice as long where the CPU has
# it (docs/decisions/0012). Set for every release build alike: another value is another build of everything.
small_crypto_of_arm64 := 1
small_crypto_of_x86_64 := 0
package: export AWS_LC_SYS_SMALL := $(small_crypto_of_$(ARCH))
instructions bench: export AWS_LC_SYS_SMALL = $(small_crypto_of_$(machine))
# No panic passes through aws-lc, so that the tables for it are a waste in each package (docs/decisions/0044).
# Not twice where make calls itself: other flags are another build of everything.
without_unwinding := -fno-asynchronous-unwind-tables -fno-unwind-tables
package instructions bench: export CFLAGS := $(filter-out $(without_unwinding),$(CFLAGS)) $(without_unwinding)
# The emulator tests: the runtime interface emulator out of the aws-sam-cli package, and the binaries it runs, which are
# those that `make package` zips (test-emulator: quicker ones of the profile ci).
export LAMBDA_RIE := $(CURDIR)/.tools/emulator/aws-lambda-rie
export FUNCTION_BINARIES := $(CURDIR)/target/lambda
test-emulator: export FUNCTION_BINARIES := $(CURDIR)/target/ci
# Here the emulator is there, so a test that finds none has failed and is not skipped.
test-rust test-emulator: export CI := true

functions := $(patsubst functions/%/Cargo.toml,%,$(wildcard functions/*/Cargo.toml))
packages := $(foreach function,$(functions),--package $(function))
target_of_arm64 := aarch64-unknown-linux-gnu
target_of_x86_64 := x86_64-unknown-linux-gnu
target := $(target_of_$(ARCH))
# That of Amazon Linux 2023 (provided.al2023). Of an older one, such as cargo-lambda takes by itself, threads and loading are libraries of their
# own, and each start loads both (docs/decisions/0044).
glibc := 2.34
results := target/test-results
# The architecture of this machine, for what is run on it.
machine := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# What `make bench` builds: its program, and functions that trust its certificates.
bench := target/bench/bin/bench
bench_functions := target/bench/functions-trusting-bench-root
in_aws_tools := PATH="$(CURDIR)/.tools/aws/bin:$$PATH"
# For a target: the packages, and what must not compile everything once more beside them, which any other flag would. cargo-lambda's own
# defaults would replace the profile of Cargo.toml (panic, strip), and its check of the target calls rustup.
build_as_package = $(in_aws_tools) cargo lambda build --locked --quiet --release --disable-optimizations --skip-target-check --target $(1).$(glibc)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: ## Start everything in one process on this machine and print calls to paste
	cargo run --locked --package dev-server

.PHONY: test
test: start-results check-format lint lint-documentation lint-dependencies check-crypto test-template test-interop test-browser test-rust test-instructions test-deploy ## All that CI runs, in this order
	@echo "==> all steps passed; all tests together:"
	@cat $(results)/not-done.txt 2> /dev/null || true
	@tools/count-tests $(results)/*.log

.PHONY: start-results
start-results:
	@rm -rf $(results) && mkdir -p $(results)

.PHONY: check-format
check-format: ## Formatting of the Rust code
	@echo "==> cargo fmt --check"
	@cargo fmt --all --check

.PHONY: lint
lint: ## Clippy over every target, warnings are errors
	@echo "==> cargo clippy"
	@cargo clippy --locked --workspace --all-targets --quiet -- --deny warnings

.PHONY: lint-documentation
lint-documentation: ## Rust documentation builds without a warning
	@echo "==> cargo doc"
	@RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --quiet

.PHONY: lint-dependencies
lint-dependencies: tools-cargo-deny ## Licences, sources, who may link what, known vulnerabilities (ADVISORIES=fetch gets the database)
	@echo "==> cargo deny"
	@mkdir -p $(results)
	@cargo fetch --locked --quiet
	@.tools/bin/cargo-deny --offline check bans licenses sources
	@if [[ "$${ADVISORIES:-}" == fetch ]]; then \
		.tools/bin/cargo-deny check advisories; \
	elif compgen -G "$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs/*/crates" > /dev/null; then \
		.tools/bin/cargo-deny --offline check advisories; \
	else \
		echo "    advisories were not checked: no copy of the database is here (ADVISORIES=fetch gets one)" \
			| tee $(results)/not-done.txt; \
	fi

.PHONY: check-crypto
check-crypto: ## One crypto library in each function; no DynamoDB client where no token is kept
	@echo "==> tools/check-crypto"
	@tools/check-crypto

.PHONY: test-template
test-template: tools-aws tools-checkov ## template.yaml: linters and our own rules of it
	@echo "==> template checks"
	@mkdir -p $(results)
	@.tools/aws/bin/python -m pytest tests/template --quiet -p no:cacheprovider | tee $(results)/template.log

.PHONY: test-interop
test-interop: ## Alipay's own SDKs (Node, Python) against the simulator, both directions
	@echo "==> interop with the official SDKs"
	@mkdir -p $(results)
	@tests/interop/run | tee $(results)/interop.log

.PHONY: test-browser
test-browser: tools-chromium ## Login by redirect, OpenID Connect (with an unmodified OIDC client) and payments in headless Chromium
	@echo "==> logins and payments in the browser"
	@mkdir -p $(results)
	@tests/browser/run | tee $(results)/browser.log

.PHONY: bench
bench: package-here tools-valgrind ## Speed, memory, package sizes and cost beside Node's and Python's SDKs (10 to 15 minutes; BENCH_ARGUMENTS=--quick for a try)
	@tools/install bench
	@echo "==> building the bench"
	@# By the command of the packages too: another C compiler would be another build of everything, and another floor.
	@$(call build_as_package,$(target_of_$(machine))) --package benches --bin bench --bin floor --lambda-dir target/bench/programs
	@mkdir -p $(dir $(bench))
	@for program in bench floor; do mv target/bench/programs/$$program/bootstrap $(dir $(bench))$$program; done
	@# The two functions once more, trusting the bench's own certificates for TLS, and with their symbols for the profile. Away from the
	@# others lest anybody deploys them.
	@$(call build_as_package,$(target_of_$(machine))) $(packages) --bin get-mini-code --bin code2session \
		--package https-client --features https-client/bench-root \
		--config profile.release.package.get-mini-code.strip=false --config profile.release.package.code2session.strip=false \
		--lambda-dir $(bench_functions)
	@rm -f target/$(target_of_$(machine))/release/{get-mini-code,code2session}
	@$(bench) functions $(filter --quick,$(BENCH_ARGUMENTS))
	@$(bench) cost $(filter --quick,$(BENCH_ARGUMENTS))
	@$(bench) growth $(filter --quick,$(BENCH_ARGUMENTS))
	@$(bench) profile --functions $(bench_functions)
	@# Last, because it ends with the goals.
	@$(bench) compare --functions-trusting-bench-root $(bench_functions) $(BENCH_ARGUMENTS)

.PHONY: bench-document
bench-document: ## Write the figures of the last make bench into docs/PERFORMANCE.md
	@$(bench) document

.PHONY: binaries
binaries: ## The functions' binaries, quickly built: no link-time optimisation (target/ci)
	@echo "==> functions' binaries, profile ci"
	@cargo build --locked --quiet --profile ci $(packages)
	@tools/check-entropy target/ci

.PHONY: test-rust
test-rust: emulator package-here ## cargo test of the workspace, with the packaged binaries under the runtime interface emulator
	@echo "==> cargo test --workspace"
	@mkdir -p $(results)
	@cargo test --locked --workspace --no-fail-fast 2>&1 | tee $(results)/rust.log

.PHONY: test-emulator
test-emulator: emulator binaries ## Only the tests of the package `tests`, which run the binaries under the emulator
	@echo "==> cargo test --package tests"
	@mkdir -p $(results)
	@cargo test --locked --package tests 2>&1 | tee $(results)/emulator.log

.PHONY: test-deploy
test-deploy: tools-aws tools-ministack package-here ## sam deploy of template.yaml into MiniStack, a call of each function, its DynamoDB
	@echo "==> deploy check"
	@mkdir -p $(results)
	@.tools/aws/bin/python -m pytest tests/deploy --quiet -p no:cacheprovider | tee $(results)/deploy.log

# Built by the command of the packages, so that nothing is compiled for it but itself: other flags or features would be another build.
.PHONY: instructions
instructions: tools-aws tools-valgrind
	@$(call build_as_package,$(target_of_$(machine))) $(packages) --package instructions --bin instructions --lambda-dir target/instructions

.PHONY: test-instructions
test-instructions: instructions ## Instructions that a call costs, counted by callgrind and held to benches/instructions/figures.json
	@echo "==> instruction counts"
	@mkdir -p $(results)
	@.tools/aws/bin/python -m pytest benches/instructions --quiet -p no:cacheprovider | tee $(results)/instructions.log
	@benches/instructions/count target/instructions/instructions/bootstrap | tee --append $(results)/instructions.log
	@grep "were not compared" $(results)/instructions.log >> $(results)/not-done.txt || true

.PHONY: renew-instructions
renew-instructions: instructions ## Count anew and store it, where a change of the counts is meant
	@benches/instructions/count --renew target/instructions/instructions/bootstrap

# The packages for this machine, made once in a run.
.PHONY: package-here
package-here:
	@$(MAKE) --no-print-directory package ARCH=$(machine)

.PHONY: package
package: tools-aws ## Release build of the functions for Lambda, zips in dist/ (ARCH=arm64 or x86_64)
	@[[ -n "$(target)" ]] || { echo "ARCH is arm64 or x86_64, not \`$(ARCH)\`" >&2; exit 2; }
	@[[ -n "$${RUSTC:-}" || -d "$$(rustc --print target-libdir --target $(target))" ]] || { \
		echo "Rust's standard library for $(target) is not installed, so nothing can be built for $(ARCH)." >&2; \
		echo "Either:  rustup target add $(target)" >&2; \
		echo "or:      make package ARCH=x86_64, and deploy with the template's parameter Architecture=x86_64" >&2; \
		exit 2; }
	@echo "==> cargo lambda build for $(ARCH)"
	@rm -rf target/lambda
	@$(call build_as_package,$(target)) $(packages)
	@tools/check-entropy target/$(target)/release
	@.tools/aws/bin/python tools/zip-functions $(ARCH) $(functions)

.PHONY: tools
tools: tools-aws tools-checkov tools-ministack tools-cargo-deny tools-chromium tools-valgrind emulator ## Install the pinned tools under .tools/, Chromium and valgrind

.PHONY: tools-aws tools-checkov tools-ministack tools-cargo-deny tools-chromium tools-valgrind
tools-aws tools-checkov tools-ministack tools-cargo-deny tools-chromium tools-valgrind: tools-%:
	@tools/install $*

.PHONY: emulator
emulator: tools-aws
	@mkdir -p .tools/emulator
	@install -m 755 .tools/aws/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-$(machine) $(LAMBDA_RIE)

.PHONY: clean-tools
clean-tools: ## Remove .tools/
	rm -rf .tools
