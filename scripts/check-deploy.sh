#!/usr/bin/env bash
# Checks what is under deploy/: the alert rules, their tests, Prometheus' configuration, the dashboard for the business, and the
# Kubernetes files against the schema of Kubernetes.
set -euo pipefail
cd "$(dirname "$0")/.."
validator=1.37.0
# The files keep to what this version knows.
kubernetes=1.33

# All output only where something is wrong.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        printf 'deploy-check: FAILED: %s\n' "$*" >&2
        exit 1
    fi
    rm -f "$log"
    printf 'ok: %s\n' "$*"
}

# Names in rules and configuration are relative to their files.
prometheus=deploy/prometheus
quietly promtool check rules "$prometheus/rules.yml"
quietly promtool check config "$prometheus/prometheus.yml"
for tests in "$prometheus"/*_test.yml; do
    quietly promtool test rules "$tests"
done

quietly scripts/check-business-dashboard.py

venv=${CARGO_TARGET_DIR:-target}/kubernetes-validate-$validator
validate=$venv/bin/kubernetes-validate
if ! [ -x "$validate" ]; then
    mkdir -p "${venv%/*}"
    rm -rf "$venv"
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$validator"; } \
        >"$venv.log" 2>&1; then
        rm -rf "$venv"
        tail -n 3 "$venv.log" >&2
        printf '\n%s\n\n' "WARNING: THE KUBERNETES FILES WERE NOT CHECKED: kubernetes-validate $validator could not be installed (see $venv.log)" >&2
        exit 0
    fi
fi
quietly "$validate" --strict --kubernetes-version "$kubernetes" deploy/kubernetes/*.yaml
