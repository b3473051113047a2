#!/usr/bin/env bash
# Feeds the transform with whatever a fuzzer thinks of, RUNS times. Installs cargo-fuzz, outside of the repository, where
# it is missing. A finding ends up in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.13.2

root=${XDG_CACHE_HOME:-$HOME/.cache}/smartassist-etl/cargo-fuzz-$version
fuzz=$root/bin/cargo-fuzz
if ! [ -x "$fuzz" ]; then
    if [ "$(cargo-fuzz --version 2>/dev/null || true)" = "cargo-fuzz $version" ]; then
        fuzz=cargo-fuzz
    else
        echo "installing cargo-fuzz $version into $root (once, some minutes)"
        cargo install cargo-fuzz --version "$version" --locked --quiet --root "$root"
    fi
fi

mkdir -p fuzz/corpus/record
cp fuzz/seeds/record/* fuzz/corpus/record/
# The coverage that the fuzzer steers by is an unstable flag. A sanitizer would look for unsafe code, which is forbidden.
RUSTC_BOOTSTRAP=1 "$fuzz" run record --sanitizer none -- \
    -runs="${RUNS:-1000000}" -max_len=4096 -dict=fuzz/record.dict
