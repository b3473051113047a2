#!/usr/bin/env bash
# Feeds each target (fuzz/fuzz_targets) with whatever a fuzzer thinks of, RUNS times; `scripts/fuzz.sh TARGET...` those targets alone.
# OPTIONS are given to the fuzzer last, e.g. OPTIONS=-max_len=4096 for shorter inputs, and so more runs a second.
# A target may have seeds (fuzz/seeds/NAME/), words (fuzz/NAME.dict) and options of the fuzzer (fuzz/NAME.options). Installs
# cargo-fuzz, outside of the repository, where it is missing. A finding ends up in fuzz/artifacts.
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

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi
# The stack that a thread of the program has.
ulimit -s 2048
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    if [ -d "fuzz/seeds/$target" ]; then cp "fuzz/seeds/$target"/* "fuzz/corpus/$target/"; fi
    options=(-max_len=4096)
    if [ -f "fuzz/$target.options" ]; then read -ra options <"fuzz/$target.options"; fi
    if [ -f "fuzz/$target.dict" ]; then options+=(-dict="fuzz/$target.dict"); fi
    read -ra more <<<"${OPTIONS:-}"
    options+=("${more[@]}")
    # The coverage that the fuzzer steers by is an unstable flag. A sanitizer would look for unsafe code, which is forbidden.
    RUSTC_BOOTSTRAP=1 "$fuzz" run "$target" --sanitizer none -- -runs="${RUNS:-1000000}" "${options[@]}"
done
