#!/usr/bin/env bash
# Builds the Debian package for this machine's architecture, and prints its path: target/debian/….deb. PROFILE=dev is quicker, and
# writes to target/debian/dev. Installs cargo-deb, within the target directory, where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo_deb_version=3.8.0
profile=${PROFILE:-release}

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cargo_deb=$target/cargo-deb-$cargo_deb_version
if ! [ -x "$cargo_deb/bin/cargo-deb" ]; then
    echo "installing cargo-deb $cargo_deb_version into $cargo_deb (once, some minutes)" >&2
    cargo install cargo-deb --version "$cargo_deb_version" --locked --quiet --root "$cargo_deb"
fi

cargo build --locked --package smartassist-etl --bin smartassist-etl --profile "$profile" >&2
binary=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/smartassist-etl

# What the package holds besides files of the repository, as if it were the target directory. The binary keeps its symbols, for readable
# backtraces, but not the line tables, as in the image.
stage=$target/package
contents=$stage/release
rm -rf "$stage"
mkdir -p "$contents/completions" "$contents/doc"
strip --strip-debug -o "$contents/smartassist-etl" "$binary"
"$binary" man --dir "$contents/man"
for shell in bash zsh fish; do "$binary" completions "$shell" >"$contents/completions/$shell"; done

# Debian asks for a changelog of its own form. Times come from the commit, so that the same commit makes the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
maintainer=$(sed -n 's/^maintainer *= *"\(.*\)"/\1/p' Cargo.toml)
printf 'smartassist-etl (%s-1) unstable; urgency=medium\n\n  * Version %s; what changed is in changelog.gz beside this file.\n\n -- %s  %s\n' \
    "$version" "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$contents/doc/changelog.Debian"
cp CHANGELOG.md "$contents/doc/changelog"
gzip --best --no-name "$contents"/man/*.1 "$contents"/doc/*

output=$target/debian
[ "$profile" = release ] || output+=/$profile
CARGO_TARGET_DIR=$stage "$cargo_deb/bin/cargo-deb" --no-build --no-strip --locked --output "$output/"
