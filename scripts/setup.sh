#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks: a C compiler, make, curl, CA certificates, the
# PostgreSQL server programs, the Rust toolchain of rust-toolchain.toml; for the tests (SETUP_FOR=test) also pgbouncer,
# Prometheus with promtool, Chromium with its driver, and Python's venv, and for those on other servers (test-matrix) npm too;
# for the Debian package (package) dpkg-dev, and for its test (package-test) debootstrap and systemd-nspawn.
# Where everything is there, it does nothing and needs no network. `make` runs it first; running it by hand is fine too.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The server programs are not on PATH on Debian; the daemon and the tests look in the same places.
have_postgresql() {
    have psql || return 1
    have initdb && have postgres && return 0
    local dir
    for dir in /usr/lib/postgresql/*/bin; do
        [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return 0
    done
    return 1
}

have_certificates() {
    [ -n "${SSL_CERT_FILE:-}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] ||
        [ -e /etc/pki/tls/certs/ca-bundle.crt ]
}

missing=()
have cc || missing+=(gcc libc6-dev)
have make || missing+=(make)
have curl || missing+=(curl)
have_certificates || missing+=(ca-certificates)
have_postgresql || missing+=(postgresql)
[ "${SETUP_FOR:-}" != test-matrix ] || have npm || missing+=(npm)
if [[ ${SETUP_FOR:-} = test* ]]; then
    have pgbouncer || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
    { have prometheus && have promtool; } || missing+=(prometheus)
    # Ubuntu has other names for them.
    if grep -qs '^ID=ubuntu' /etc/os-release; then browser=chromium-browser driver=chromium-chromedriver
    else browser=chromium driver=chromium-driver; fi
    have chromium || have chromium-browser || have google-chrome || missing+=("$browser")
    # On Ubuntu it may be there and say no more than that the snap is missing.
    chromedriver --version >/dev/null 2>&1 || missing+=("$driver")
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
fi

case ${SETUP_FOR:-} in package*) have dpkg-shlibdeps || missing+=(dpkg-dev) ;; esac
if [ "${SETUP_FOR:-}" = package-test ]; then
    have debootstrap || missing+=(debootstrap)
    have systemd-nspawn || missing+=(systemd-container)
fi

# apt-get as root, or through sudo where that asks for no password.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    local wanted="${missing[*]}"
    if ! have apt-get; then
        fail "missing (by their Debian names): $wanted. Please install a C compiler, make, curl, CA certificates and the
  PostgreSQL server (14 to 18) with its psql, e.g. 'dnf install gcc make curl postgresql-server' or
  'brew install postgresql@17', and try again"
    fi
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        fail "missing: $wanted. Please run this and try again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends $wanted"
    fi
    say "installing $wanted"
    # The packages would create and start servers of their own (a database, a pooler, Prometheus); only their programs are
    # wanted here. The settings hold for this installation alone.
    local no_cluster=/etc/postgresql-common/createcluster.d/smartassist-etl-setup.conf
    local no_services=/usr/sbin/policy-rc.d service log status=0
    # A container has one already, most often.
    [ ! -e "$no_services" ] || no_services=
    log=$(mktemp)
    as_root mkdir -p "${no_cluster%/*}"
    as_root sh -c "echo 'create_main_cluster = false' >$no_cluster"
    [ -z "$no_services" ] ||
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$no_services && chmod 755 $no_services"
    { as_root apt-get update &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 </dev/null || status=$?
    as_root rm -f "$no_cluster" ${no_services:+"$no_services"}
    # Nor at the next boot.
    for service in pgbouncer prometheus; do
        case " $wanted " in *" $service "*) ! have systemctl || as_root systemctl --quiet disable "$service" || true ;; esac
    done >/dev/null 2>&1
    if [ "$status" != 0 ]; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install $wanted; its whole output is in $log"
    fi
    rm -f "$log"
}

[ ${#missing[@]} = 0 ] || install_packages

# shellcheck source=scripts/toolchain.sh
. scripts/toolchain.sh
if ! find_toolchain; then
    cargo_bin=${CARGO_HOME:-$HOME/.cargo}/bin
    have rustup || PATH="$cargo_bin:$PATH"
    have rustup || {
        say "installing rustup into $cargo_bin"
        installer=$(mktemp)
        trap 'rm -f "$installer"' EXIT
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs -o "$installer" ||
            curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh -o "$installer" ||
            fail "rustup's installer is out of reach: see https://rustup.rs"
        RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$installer" -y --no-modify-path --profile minimal --default-toolchain none \
            >/dev/null || fail "rustup could not be installed: see https://rustup.rs"
    }
    say "installing Rust $(wanted_rust)"
    # Without a name, the toolchain of rust-toolchain.toml with its components; an older rustup does that on first use.
    rustup toolchain install >&2 || rustup show active-toolchain >&2 || true
    find_toolchain || fail "still no Rust $(wanted_rust); 'cargo --version' says: $(cargo --version 2>&1 | tail -n 1)"
fi
