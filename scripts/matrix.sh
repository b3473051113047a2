#!/usr/bin/env bash
# Runs the integration tests on each supported PostgreSQL (POSTGRESQL_VERSIONS), with these arguments for the test binary:
#   POSTGRESQL_VERSIONS="14 18" scripts/matrix.sh load:: sync::erase
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'matrix: %s\n' "$*" >&2; }

output=$(mktemp)
trap 'rm -f "$output"' EXIT
run_tests() {
    local version=$1
    shift
    scripts/with-postgresql.sh "$version" cargo test --test main --locked -- "$@" | tee "$output" || return
    if grep -q '^running 0 tests' "$output"; then say "no test has such a name"; return 1; fi
}

failed=
for version in ${POSTGRESQL_VERSIONS:-14 15 16 17 18}; do
    say "PostgreSQL $version"
    run_tests "$version" "$@" || failed+=" $version"
done
[ -z "$failed" ] || { say "error: failed on PostgreSQL$failed"; exit 1; }
