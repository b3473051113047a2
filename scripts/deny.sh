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

# The advisories are fetched from GitHub. Where there is no way to it, a copy whose newest advisory is at most 90 days old will do.
# With neither, known vulnerabilities are not looked for, and this fails, unless ADVISORIES_UNCHECKED says why it may go on.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$deny" --locked check advisories 2>"$log"; then
    cat "$log"
    exit 0
elif ! grep -q 'failed to fetch advisory database' "$log"; then
    cat "$log" >&2
    exit 1
fi
newest=0
for copy in "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/*/; do
    made=$(git -C "$copy" log -1 --format=%ct 2>/dev/null || true)
    [ "${made:-0}" -le "$newest" ] || newest=$made
done
if [ $(($(date +%s) - newest)) -le $((90 * 86400)) ]; then
    printf '\nThe advisory database cannot be fetched. Checking by the copy of %s\n\n' "$(date -u -d "@$newest" +%F 2>/dev/null || date -u -r "$newest" +%F)" >&2
    exec "$deny" --locked --offline check advisories
fi
grep -m 1 -A 4 'failed to fetch advisory database' "$log" >&2
if [ -n "${ADVISORIES_UNCHECKED:-}" ]; then
    printf '\n%s\n%s\n\n' "WARNING: KNOWN VULNERABILITIES WERE NOT CHECKED: the advisory database cannot be fetched, and there is no copy of the last 90 days" \
        "It goes on all the same, since ADVISORIES_UNCHECKED says: $ADVISORIES_UNCHECKED" >&2
    exit 0
fi
printf '\n%s\n%s\n' "deny: FAILED: known vulnerabilities were not checked: there is no copy of the advisory database of the last 90 days either." \
    "Fetch it where there is a way to it (cargo deny fetch), or say why this may go on: ADVISORIES_UNCHECKED='…' make lint" >&2
exit 1
