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
# What the demo and the tests start listens on this machine, and none of that is for a proxy.
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}"
exec "$@"
