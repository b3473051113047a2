# To be sourced, in the repository's root: finds the Rust toolchain that rust-toolchain.toml asks for.
# shellcheck shell=bash

wanted_rust() { sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml; }

# Whether `cargo` on PATH is of the wanted version or newer (an own cargo without rustup may be). Never downloads.
cargo_works() {
    local version
    version=$(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) || return 1
    version=$(printf '%s\n' "$version" | cut -d ' ' -f 2)
    [ "$(printf '%s\n%s\n' "$(wanted_rust)" "$version" | sort -V | head -n 1)" = "$(wanted_rust)" ]
}

# Sets PATH and RUSTUP_HOME so that cargo works, or returns 1.
find_toolchain() {
    cargo_works && return 0
    # A proxy of rustup on PATH looks for toolchains under HOME, which may be another home than the one it was installed in.
    local dir rustup_home
    for dir in "$(command -v cargo 2>/dev/null || true)" "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo"; do
        dir=${dir%/cargo}
        [ -x "$dir/cargo" ] || continue
        for rustup_home in "${RUSTUP_HOME:-}" "${dir%/bin}/../.rustup" "${dir%/bin}/../rustup"; do
            [ -r "$rustup_home/toolchains" ] || continue
            rustup_home=$(cd "$rustup_home" && pwd)
            if PATH="$dir:$PATH" RUSTUP_HOME="$rustup_home" cargo_works; then
                export PATH="$dir:$PATH" RUSTUP_HOME="$rustup_home"
                return 0
            fi
        done
    done
    return 1
}
