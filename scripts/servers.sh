# To be sourced, in the repository's root, by a script that tries what was built: a PostgreSQL and the simulator on loopback.
# The script sets `work`, a directory that every user may enter, and defines `fail`; it calls stop_servers at its end.
# shellcheck shell=bash disable=SC2154

simulator_pid='' ports_pid='' cluster=''

as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

wait_for() {
    local limit=$((SECONDS + 300)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$limit" ] || fail "$what: not within 300 s"
        sleep 0.5
    done
}

# Two ports that nobody else gets: sockets that are bound and do not listen leave room for a server that reuses addresses.
# Sets database_port and http_port.
reserve_ports() {
    python3 -c '
import signal, socket
kept = [socket.socket() for _ in range(2)]
for each in kept:
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in kept), flush=True)
signal.pause()' >"$work/ports" &
    ports_pid=$!
    until [ -s "$work/ports" ]; do kill -0 "$ports_pid" 2>/dev/null || fail "no ports"; sleep 0.1; done
    # shellcheck disable=SC2034
    read -r database_port http_port <"$work/ports"
}

# start_postgres PASSWORD_FILE: for loopback alone, at database_port, with the superuser smartassist.
start_postgres() {
    local binaries
    binaries=$(dirname "$(find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)")
    [ -x "$binaries/initdb" ] || fail "no PostgreSQL server programs"
    pg_ctl=$binaries/pg_ctl password_file=$1
    mkdir "$work/postgres"
    [ "$(id -u)" != 0 ] || chown postgres "$work/postgres"
    as_owner "$binaries/initdb" --pgdata "$work/postgres/data" --username smartassist --auth scram-sha-256 \
        --pwfile "$password_file" --encoding UTF8 --locale C >"$work/initdb.log" 2>&1 || fail "initdb"
    cluster=$work/postgres/data
    as_owner "$pg_ctl" --pgdata "$cluster" --wait --log "$work/postgres/server.log" start \
        --options "-c listen_addresses=127.0.0.1 -c port=$database_port -c unix_socket_directories=''" >"$work/pg_ctl.log" 2>&1 ||
        fail "PostgreSQL does not start"
}
sql() { PGPASSWORD=$(cat "$password_file") psql -h 127.0.0.1 -p "$database_port" -U smartassist -d postgres -Atc "$1"; }

# start_simulator ARGUMENTS...: its address is in api.
start_simulator() {
    local simulator=${SIMULATOR:-}
    if [ -z "$simulator" ]; then
        scripts/with-toolchain.sh cargo build --locked --package smartassist-simulator --bin smartassist-simulator
        simulator=${CARGO_TARGET_DIR:-target}/debug/smartassist-simulator
    fi
    "$simulator" --bind 127.0.0.1:0 --port-file "$work/simulator.port" --requests-per-minute 0 "$@" >"$work/simulator.log" 2>&1 &
    simulator_pid=$!
    wait_for "the simulator" test -s "$work/simulator.port"
    # shellcheck disable=SC2034
    api=http://$(cat "$work/simulator.port")
}

stop_servers() {
    [ -z "$simulator_pid" ] || kill "$simulator_pid" 2>/dev/null || true
    [ -z "$ports_pid" ] || kill "$ports_pid" 2>/dev/null || true
    [ -z "$cluster" ] || as_owner "$pg_ctl" --pgdata "$cluster" --mode immediate stop >/dev/null 2>&1 || true
}
