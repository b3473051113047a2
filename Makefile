# `make` lists the commands. Each one installs what the machine lacks (scripts/setup.sh) and works from a fresh clone.

SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO := scripts/with-toolchain.sh cargo

.PHONY: help demo test test-matrix test-faults test-bi soak lint fmt-check clippy rustdoc deny deploy-check versions bench data-dictionary fuzz image image-test package package-test secrets clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## watch it work: a simulated contact centre, the daemon, a private PostgreSQL (ONCE=1: once through, then exit)
	@scripts/with-toolchain.sh scripts/demo.sh

# What only the tests need is installed for them alone.
test-faults test-bi soak deploy-check: export SETUP_FOR = test
test: export SETUP_FOR = $(if $(POSTGRESQL),test-matrix,test)
test-matrix: export SETUP_FOR = test-matrix

# Tests wait more than they compute: more of them at a time than there are processors.
test test-faults test-matrix: export RUST_TEST_THREADS ?= 8

# What takes long: kills, storms, replicas, servers that come and go, browsers.
FAULTS := faults:: cli::private_postgres:: daemon::backfill:: observe::browser:: observe::prometheus::

test: ## the tests of every day, on a private PostgreSQL (POSTGRESQL=18: on this version, not the installed one)
	scripts/with-toolchain.sh $(if $(POSTGRESQL),scripts/with-postgresql.sh $(POSTGRESQL)) cargo test --workspace --locked -- $(addprefix --skip ,$(FAULTS))

test-matrix: ## the integration tests of every day on PostgreSQL 14 to 18 (POSTGRESQL_VERSIONS="14 18": on these; TESTS="load:: reports::": these)
	@scripts/with-toolchain.sh scripts/matrix.sh $(or $(TESTS),$(addprefix --skip ,$(FAULTS)))

test-faults: ## the others: kills, storms, replicas, browsers; eight minutes
	$(CARGO) test --test main --locked -- $(FAULTS)

test-bi: ## what is shipped for BI tools, in a real Superset, browser and dbt; ten minutes, and a way to PyPI the first time
	@scripts/with-toolchain.sh scripts/test-bi.sh

lint: versions fmt-check clippy rustdoc deny deploy-check ## formatting, clippy, rustdoc, dependencies, deploy/; warnings are errors

fmt-check:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

rustdoc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

deny:
	scripts/with-toolchain.sh scripts/deny.sh

deploy-check: ## deploy/: the alert rules and their tests, Prometheus' configuration, the Kubernetes files
	@scripts/setup.sh
	@scripts/check-deploy.sh

versions:
	@grep -q "rust:$$(sed -n 's/^channel *= *"\([0-9]*\.[0-9]*\).*/\1/p' rust-toolchain.toml)-" Dockerfile || \
	{ echo "the Rust version of Dockerfile and rust-toolchain.toml differ" >&2; exit 1; }

bench: ## interactions a second, requests a first load (BENCH=throughput, requests, budget, page, key, bi, growth, facts: only these parts)
	$(CARGO) bench --bench load --locked

soak: ## ten minutes of polls every second, watching memory and connections (SOAK_SECONDS=)
	$(CARGO) test --test main --locked faults::soak -- --ignored --nocapture

data-dictionary: ## writes docs/data-dictionary.md anew, from the comments in the migrations
	UPDATE_DOCS=1 $(CARGO) test --test main --locked the_data_dictionary_is_what_the_database_says

fuzz: ## answers, records and identifiers that a fuzzer makes up, a million of each (RUNS=: how many; needs a C++ compiler)
	@RUNS=$(RUNS) scripts/with-toolchain.sh scripts/fuzz.sh

image: ## the container image, with docker, podman or buildah
	@scripts/image.sh

image-test: ## builds the image and tries it, read-only, against the simulator and a PostgreSQL
	@scripts/with-toolchain.sh scripts/test-image.sh

package: export SETUP_FOR = package

package: ## the Debian package, under target/debian (PROFILE=dev: quicker, under target/debian/dev)
	@scripts/with-toolchain.sh scripts/package.sh

package-test: ## builds the package and tries it in a clean tree of Debian 12, with systemd (as root; PACKAGE=: one that is built)
	@scripts/test-package.sh

secrets: ## what docker-compose.yml needs and can be made up, under secrets/
	@scripts/secrets.sh

clean: ## what was built (not data/, the private PostgreSQL)
	rm -rf target
