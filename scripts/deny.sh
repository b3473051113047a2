#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences, sources, duplicates, known vulnerabilities. Installs cargo-deny,
# outside of the repository, where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2

root=${XDG_CACHE_HOME:-$HOME/.cache}/smartassist-etl/cargo-deny-$version
deny=$root/bin/cargo-deny
if ! [ -x "$deny" ]; then
    if [ "$(cargo-deny --version 2>/dev/null || true)" = "cargo-deny $version" ]; then
        deny=cargo-deny
    else
        echo "installing cargo-deny $version into $root (once, some minutes)"
        cargo install cargo-deny --version "$version" --locked --quiet --root "$root"
    fi
fi

"$deny" --locked check --hide-inclusion-graph bans licenses sources

# The advisories are fetched from GitHub. Without a way to it they can't be checked, which is no fault of the code.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$deny" --locked check advisories 2>"$log"; then
    cat "$log"
elif grep -q 'failed to fetch advisory database' "$log"; then
    printf '\n%s\n\n' "WARNING: KNOWN VULNERABILITIES WERE NOT CHECKED: the advisory database could not be fetched" >&2
    grep -m 1 -A 4 'failed to fetch advisory database' "$log" >&2
else
    cat "$log" >&2
    exit 1
fi
