#!/usr/bin/env bash
# Builds the Debian package and tries it in a clean tree of Debian 12: installed with apt-get, run by the tree's own systemd as the
# unit says, against the simulator and a PostgreSQL outside of the tree, then with a private PostgreSQL, removed and purged.
# Needs root, a Debian mirror, and what scripts/setup.sh installs for it. PACKAGE: one that is built already;
# otherwise one with a binary of PROFILE (dev) is built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test-package: %s\n' "$*"; }
fail() {
    printf 'test-package: FAILED: %s\n' "$*" >&2
    [ -n "$work" ] || exit 1
    local log
    [ -z "$init" ] || inside journalctl --unit smartassist-etl --no-pager --lines 15 --output cat >"$work/journal.log" 2>&1 || true
    for log in "$work"/*.log; do
        [ ! -s "$log" ] || { printf '%s\n' "--- ${log##*/}, its last lines:" >&2; tail -n 15 "$log" >&2; }
    done
    exit 1
}
work='' init=''
[ "$(id -u)" = 0 ] || fail "needs root: it makes a tree of Debian, and starts its systemd"
export SETUP_FOR=package-test
scripts/setup.sh
work=$(mktemp -d /var/tmp/smartassist-etl-package.XXXXXX)
chmod 755 "$work"
tree=$work/tree nspawn_pid=''
# shellcheck source=scripts/servers.sh
. scripts/servers.sh

cleanup() {
    local status=$?
    trap - EXIT
    [ -z "$nspawn_pid" ] || { kill "$nspawn_pid" && wait "$nspawn_pid"; } 2>/dev/null || true
    stop_servers
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

nspawn=(systemd-nspawn --quiet --directory="$tree" --machine="smartassist-etl-test-$$" --console=pipe)
# Where systemd does not run this machine, nobody keeps a list of such trees.
[ -d /run/systemd/system ] || nspawn+=(--register=no --keep-unit)

# A command in the tree, whose systemd runs; and one as the daemon's user, with the daemon's configuration.
inside() { nsenter --target "$init" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
as_daemon() { inside runuser -u smartassist-etl -- smartassist-etl --config /etc/smartassist-etl/config.toml "$@"; }
property() { inside systemctl show --property "$1" --value smartassist-etl; }
is() { [ "$(property "$1")" = "$2" ] || fail "$1 of the unit is $(property "$1"), not $2"; }
has() { [ "$(property "$1")" = "$2" ]; }
runs() { grep -qx smartassist-etl <<<"$(inside sh -c 'cat /proc/[0-9]*/comm 2>/dev/null || true')"; }

make_tree() {
    debootstrap --variant=minbase bookworm "$tree" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 || fail "debootstrap"
    # Other packages start no server of their own.
    printf 'create_main_cluster = false\n' | install -D -m 644 /dev/stdin "$tree/etc/postgresql-common/createcluster.d/none.conf"
    cp "$package" "$tree/var/tmp/smartassist-etl.deb"
    "${nspawn[@]}" --as-pid2 env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        /var/tmp/smartassist-etl.deb man-db bash-completion </dev/null >"$work/install.log" 2>&1 || fail "it cannot be installed"
}

boot() {
    "${nspawn[@]}" --boot systemd.unit=basic.target </dev/null >"$work/boot.log" 2>&1 &
    nspawn_pid=$!
    started() { init=$(pgrep --parent "$nspawn_pid") && inside systemctl is-active basic.target; }
    wait_for "the tree's systemd" started
}

check_files() {
    local command commands completed exposure file unit
    commands=$("$tree/usr/bin/smartassist-etl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\).*/-\1/p' | grep -v -x -e -help)
    for command in '' $commands; do
        grep -q '^NAME' <<<"$(inside man --pager=cat "smartassist-etl$command" 2>"$work/man.log")" || fail "no manual page smartassist-etl$command"
    done
    completed=$(inside bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader smartassist-etl
        COMP_WORDS=(smartassist-etl bac) COMP_CWORD=1; _smartassist__etl smartassist-etl bac smartassist-etl; echo "${COMPREPLY[@]}"')
    [ "$completed" = backfill ] || fail "bash completes 'smartassist-etl bac' to '$completed'"
    for file in zsh/vendor-completions/_smartassist-etl fish/vendor_completions.d/smartassist-etl.fish \
        doc/smartassist-etl/copyright doc/smartassist-etl/changelog.gz doc/smartassist-etl/changelog.Debian.gz doc/smartassist-etl/default.toml; do
        [ -s "$tree/usr/share/$file" ] || fail "no /usr/share/$file"
    done
    grep -q ' /etc/smartassist-etl/config.toml ' <<<"$(inside dpkg-query --show --showformat '${Conffiles}' smartassist-etl)" || fail "config.toml is no conffile"
    [ "$(stat -c '%a %u' "$tree/etc/smartassist-etl/credentials")" = '700 0' ] || fail "others than root reach the credentials"
    [ -z "$(inside dpkg --verify smartassist-etl)" ] || fail "files differ from the package: $(inside dpkg --verify smartassist-etl)"
    unit=$(property FragmentPath)
    inside systemd-analyze verify "$unit" >"$work/verify.log" 2>&1 || fail "systemd-analyze verify complains"
    [ ! -s "$work/verify.log" ] || fail "systemd-analyze verify warns"
    inside systemd-analyze security --no-pager --offline=true --threshold=20 "$unit" >"$work/security.log" 2>&1 || fail "its exposure is over 2.0"
    exposure=$(sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p' "$work/security.log")
    [ -n "$exposure" ] || fail "systemd-analyze security says nothing"
    say "manual pages, completions and unit are well; systemd-analyze security: $exposure"
}

# fails_once STATUS: a start ends with this exit code, and is not tried again.
fails_once() {
    inside systemctl start smartassist-etl >"$work/start.log" 2>&1 || true
    wait_for "the end of a daemon that cannot start" has ActiveState failed
    is ExecMainStatus "$1"
    is NRestarts 0
    inside systemctl reset-failed smartassist-etl
}

# The unit is installed, not started, and waits for somebody to repair what is missing.
check_unconfigured() {
    is UnitFileState disabled
    is ActiveState inactive
    fails_once 2 # no account
    mv "$tree/etc/smartassist-etl/credentials" "$tree/etc/smartassist-etl/moved"
    fails_once 243 # no credentials
    mv "$tree/etc/smartassist-etl/moved" "$tree/etc/smartassist-etl/credentials"
    say "it is not started without a configuration, and not again and again with a wrong one"
}

# configure [SED_EXPRESSION]: the configuration as it is shipped, its examples put in force and filled in.
configure() {
    local config=$tree/etc/smartassist-etl/config.toml name
    for name in database_password http_token privacy_key main_client_secret; do
        install -m 600 "$work/secrets/$name" "$tree/etc/smartassist-etl/credentials/$name"
    done
    sed -i -E -e 's/^# (\[accounts|[a-z_]+ = )/\1/' -e 's/^(account_id) = .*/\1 = "acct-sim"/' \
        -e 's/^(stream_id) = .*/\1 = "st-sim"/' -e 's/^(client_id) = .*/\1 = "cs-sim"/' \
        -e "s|^base_url = .*|base_url = \"$api\"|" -e "s|^\[http\]|&\nbind = \"127.0.0.1:$http_port\"|" \
        -e "s|^url = .*|url = \"postgres://smartassist@127.0.0.1:$database_port/postgres?sslmode=disable\"|" "$@" "$config"
    cat >>"$config" <<CONFIG
start_from = "$from"
requests_per_minute = 0

[sync]
poll = "*/5 * * * * *"
CONFIG
}

check_loading() {
    configure
    inside systemctl enable --now --quiet smartassist-etl || fail "it does not start"
    loaded() { [ "$(sql 'select count(*) from smartassist.sessions')" = "$interactions" ]; }
    wait_for "$interactions interactions" loaded
    as_daemon verify --from "$from" --to "$to" >"$work/compared.log" 2>&1 || fail "what is loaded is not what the API has"
    as_daemon status >"$work/status.log" 2>&1 || fail "status"
    as_daemon healthcheck >"$work/healthcheck.log" 2>&1 || fail "healthcheck"
    say "all $interactions interactions of the API are loaded; verify, status and healthcheck are well"
    local code pid
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "http://127.0.0.1:$http_port/")
    [ "$code" = 401 ] || fail "the status page asks for no token"
    pid=$(inside systemctl show --property MainPID --value smartassist-etl)
    for line in 'CapEff:.*0000000000000000$' 'CapBnd:.*0000000000000000$' 'NoNewPrivs:.*1$' 'Seccomp:.*2$' "Uid:\(.$(inside id -u smartassist-etl)\)\{4\}$"; do
        inside grep -q "^$line" "/proc/$pid/status" || fail "the process has more rights than it should: no $line"
    done
    ! inside runuser -u smartassist-etl -- cat /etc/smartassist-etl/credentials/main_client_secret >/dev/null 2>&1 || fail "the daemon's user reads the originals of secrets"
}

check_restarts() {
    inside systemctl kill --kill-whom=main --signal=KILL smartassist-etl
    again() { has NRestarts 1 && has ActiveState active; }
    wait_for "a start after a crash" again
    local before
    before=$(property MainPID)
    inside dpkg --install /var/tmp/smartassist-etl.deb >"$work/again.log" 2>&1 || fail "it cannot be installed again"
    [ "$(property MainPID)" != "$before" ] || fail "an upgrade does not restart the daemon"
    is ActiveState active
    runs || fail "no process of the daemon"
    grep -q "^base_url = \"$api\"" "$tree/etc/smartassist-etl/config.toml" || fail "an upgrade takes the configuration back"
    # Only then it hears signals.
    wait_for "the daemon after an upgrade" as_daemon healthcheck
    inside systemctl stop smartassist-etl
    is Result success
    is ExecMainStatus 0
    say "it starts again after a crash and an upgrade, and ends with exit code 0"
}

# What is left in the tree that has our name, but for the copy of the package itself and the pages that `man` has kept.
left() {
    (cd "$tree" && find . -xdev \( -path ./var/tmp -o -path ./var/cache/man \) -prune -o \
        -path '*smartassist*' -print -prune | sort | tr '\n' ' ')
}

# check_removal WHAT: removes and purges the package, and nothing but WHAT is left.
check_removal() {
    local file
    inside systemctl start smartassist-etl
    inside apt-get remove --yes smartassist-etl >"$work/remove.log" 2>&1 || fail "it cannot be removed"
    [ ! -e "$tree/usr/bin/smartassist-etl" ] || fail "the binary is left"
    ! runs || fail "the daemon runs on after its removal"
    for file in config.toml credentials/main_client_secret; do
        [ -s "$tree/etc/smartassist-etl/$file" ] || fail "$file went with the package"
    done
    inside apt-get purge --yes smartassist-etl >"$work/purge.log" 2>&1 || fail "it cannot be purged"
    [ "$(left)" = "$1" ] || fail "after the purge is left: $(left)(and should be: $1)"
}

check_private_postgres() {
    inside apt-get install --yes --no-install-recommends postgresql >"$work/postgresql.log" 2>&1 || fail "postgresql cannot be installed"
    inside dpkg --install /var/tmp/smartassist-etl.deb >"$work/again.log" 2>&1 || fail "it cannot be installed after a purge"
    configure -e '/^(url|password_file) = /d'
    inside systemctl start smartassist-etl || fail "it does not start"
    count() { inside runuser -u smartassist-etl -- psql -h /var/lib/smartassist-etl/postgres/socket -U smartassist -Atc 'select count(*) from smartassist.sessions' smartassist; }
    kept() { [ "$(count)" = "$interactions" ]; }
    wait_for "$interactions interactions in the private PostgreSQL" kept
    inside systemctl stop smartassist-etl
    is Result success
    is ExecMainStatus 0
    grep -q 'is shut down' <<<"$(tail -n 1 "$tree/var/lib/smartassist-etl/postgres/server.log")" || fail "the private PostgreSQL was not stopped in order"
    say "a private PostgreSQL holds them as well, and stops with the daemon"
}

package=${PACKAGE:-}
[ -n "$package" ] || package=$(PROFILE=${PROFILE:-dev} scripts/with-toolchain.sh scripts/package.sh)
[ -s "$package" ] || fail "no package $package"
say "$(basename "$package"), $(stat -c %s "$package") bytes"
mkdir "$work/secrets"
printf 'a:b@c/d' >"$work/secrets/database_password" # what would have to be escaped in a URL
printf 'a-token-of-the-status-page' >"$work/secrets/http_token"
printf 'a-key-of-the-hashes-0123456789abcdef' >"$work/secrets/privacy_key"
printf 'simulator-secret-0123456789abcdef' >"$work/secrets/main_client_secret"
reserve_ports
start_postgres "$work/secrets/database_password"
# As in `make demo`: up to a midnight that is some hours ago, so that all of it has ended.
interactions=3000 from=$(date -u -d '14 days ago 3 hours ago' +%F) to=$(date -u -d '3 hours ago' +%F)
start_simulator --interactions "$interactions" --from "$from" --to "$to" --vendor-shapes

make_tree
say "installed in a clean tree of Debian $(cat "$tree/etc/debian_version")"
boot
check_files
check_unconfigured
check_loading
check_restarts
check_removal ''
check_private_postgres
check_removal './var/lib/smartassist-etl '
say "removed and purged: nothing is left but a private PostgreSQL"
