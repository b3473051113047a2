#!/usr/bin/env bash
# Runs a command whose tests take this PostgreSQL instead of the machine's: `scripts/with-postgresql.sh 18 cargo test …`.
# The servers are npm packages, pinned and with their digests in tests/postgresql/package-lock.json. They are kept in target/, so
# that only the first run needs npm and a network.
set -euo pipefail
cd "$(dirname "$0")/.."
servers=${CARGO_TARGET_DIR:-target}/postgresql
mkdir -p "$servers"
servers=$(cd "$servers" && pwd)

say() { printf 'with-postgresql: %s\n' "$*" >&2; }
fail() { printf 'with-postgresql: error: %s\n' "$*" >&2; exit 1; }

install_servers() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "the servers are built for Linux on x86-64 only"
    command -v npm >/dev/null || fail "npm is missing, which gets the PostgreSQL servers: install it (Debian: apt-get install npm)"
    say "getting the PostgreSQL servers, 120 MB"
    cp tests/postgresql/package.json tests/postgresql/package-lock.json "$servers"
    # Their scripts only make the links, which is done here.
    npm ci --prefix "$servers" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        fail "npm could not get the PostgreSQL servers"
    node -e '
        const fs = require("fs"), path = require("path");
        for (const root of process.argv.slice(1))
            for (const { source, target } of JSON.parse(fs.readFileSync(path.join(root, "native/pg-symlinks.json"))))
                fs.symlinkSync(path.relative(path.dirname(target), source), path.join(root, target));
    ' "$servers"/node_modules/postgresql-*
    cp tests/postgresql/package-lock.json "$servers/complete"
}

# As root, PostgreSQL runs as user postgres, who may not enter every checkout: then it runs a copy.
usable() {
    local binaries=$servers/node_modules/postgresql-$1/native/bin
    [ -d "$binaries" ] || fail "no PostgreSQL $1 in tests/postgresql/package.json"
    if [ "$(id -u)" = 0 ] && ! setpriv --reuid postgres --regid postgres --clear-groups test -x "$binaries/postgres"; then
        cp -a "$servers/node_modules/postgresql-$1/native" "$copies/$1"
        chmod -R go+rX "$copies/$1"
        binaries=$copies/$1/bin
    fi
    [[ $("$binaries/postgres" --version) = "postgres (PostgreSQL) $1."* ]] || fail "$binaries/postgres is not PostgreSQL $1"
    printf '%s\n' "$binaries"
}

cmp -s tests/postgresql/package-lock.json "$servers/complete" || install_servers
copies=$(mktemp -d)
chmod 755 "$copies"
trap 'rm -rf "$copies"' EXIT
binaries=$(usable "$1")
shift
SMARTASSIST_ETL__DATABASE__SERVER_BINARIES=$binaries "$@"
