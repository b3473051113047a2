#!/usr/bin/env bash
# Runs a command in the repository's root with the Rust toolchain of rust-toolchain.toml, e.g.
#   scripts/with-toolchain.sh cargo build
# Installs what is missing first (scripts/setup.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
# shellcheck source=scripts/toolchain.sh
. scripts/toolchain.sh
find_toolchain
exec "$@"
