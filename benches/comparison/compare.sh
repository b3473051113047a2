#!/usr/bin/env bash
# The same interactions loaded by smartassist-etl, dlt and Airbyte, one after the other, from one simulated API into one PostgreSQL:
#   benches/comparison/compare.sh [INTERACTIONS]      (100000)
# Prints seconds, processor seconds of the loader (not of PostgreSQL), peak memory of its largest process, requests, and what is missing.
# The others have no way to see that a window holds more than the API shows, so somebody has to choose its length: 8 hours, which fit three times a day
# and lose records in busy hours, and 1 hour, which here lose none. etl is smartassist-etl, which also stores the raw records, unless storage.raw is off,
# and the facts of reports.
# Needs what `make demo` needs, Python's venv and a way to PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

interactions=${1:-100000}
days=60
dlt_version=1.31.0
airbyte_version=0.71.3
target=${CARGO_TARGET_DIR:-target}
to=$(date -u -d 'yesterday' +%F)
from=$(date -u -d "$to - $days days" +%F)

scripts/with-toolchain.sh cargo build --release --workspace --bins --locked --quiet
work=$(mktemp -d /var/tmp/smartassist-etl-compare-XXXXXX)
chmod 711 "$work"
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
# shellcheck source=scripts/servers.sh
. scripts/servers.sh
trap 'stop_servers; rm -rf "$work"' EXIT

# Not that of servers.sh: over a Unix socket, as sqlx 0.9.0 waits some 40 ms for an acknowledgement in each COPY over TCP (mended since, not released).
# PyAirbyte speaks TCP only.
pg_ctl=$(dirname "$(command -v initdb || find /usr/lib/postgresql/*/bin -name initdb | sort -V | tail -n 1)")/pg_ctl
mkdir -m 700 "$work/data" "$work/socket"
[ "$(id -u)" != 0 ] || chown postgres "$work/data" "$work/socket"
as_owner "${pg_ctl%pg_ctl}initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C >"$work/initdb.log"
cluster=$work/data
reserve_ports
port=$database_port
as_owner "$pg_ctl" -D "$cluster" -s -w -l "$cluster/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$work/socket -c max_wal_size=4GB" start
export PGHOST=$work/socket PGPORT=$port PGUSER=postgres
psql --quiet --dbname=postgres --command='create database etl' --command='create database etl_without_raw' \
    --command='create database dlt_8_h' --command='create database dlt_1_h' \
    --command='create database airbyte_8_h' --command='create database airbyte_1_h'

SIMULATOR=$target/release/smartassist-simulator
start_simulator --interactions "$interactions" --from "$from" --to "$to" --rhythm week --static-token a-token-of-the-comparison

python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet "dlt[postgres]==$dlt_version"
python3 -m venv "$work/airbyte"
"$work/airbyte/bin/pip" install --quiet "airbyte==$airbyte_version"

requests() { curl -sS "$api/_simulator/stats" | sed 's/.*"requests": *\([0-9]*\).*/\1/'; }
count() { psql --no-align --tuples-only --dbname="$1" --command="$2"; }

# measured NAME COMMAND…: seconds, processor seconds and peak MiB of it and its children, and requests, as a row.
measured() {
    local name=$1 before loaded
    shift
    psql --quiet --dbname=postgres --command=checkpoint
    before=$(requests)
    python3 benches/comparison/measured.py "$@" >"$work/$name.figures" 2>"$work/$name.log" || {
        tail -n 20 "$work/$name.log" >&2
        exit 1
    }
    case $name in
    dlt*) loaded=$(count "${name// /_}" 'select count(distinct session_id) from dlt.interactions') ;;
    airbyte*) loaded=$(count "${name// /_}" 'select count(distinct sessionid) from airbyte.interactions') ;;
    *) loaded=$(count "${name// /_}" 'select count(*) from smartassist.sessions') ;;
    esac
    read -r seconds processor memory <"$work/$name.figures"
    printf '%-18s %9.1f %10.1f %11.1f %9d %10d %8d %9.1f\n' "$name" "$seconds" "$processor" "$memory" \
        "$(($(requests) - before))" "$loaded" "$((interactions - loaded))" "$(python3 -c "print($loaded / $seconds)")"
}

printf '%d interactions of %d days, busy in office hours; dlt %s and PyAirbyte %s with windows of 8 hours and of 1\n' \
    "$interactions" "$days" "$dlt_version" "$airbyte_version"
printf '%-18s %9s %10s %11s %9s %10s %8s %9s\n' '' seconds 'CPU, s' 'memory, MiB' requests loaded missing 'a second'
account=SMARTASSIST_ETL__ACCOUNTS__COMPARED
for raw in true false; do
    [ $raw = true ] && name=etl || name=etl_without_raw
    measured "${name//_/ }" env DATABASE_URL="postgresql://postgres@${work//\//%2F}%2Fsocket:$port/$name" SMARTASSIST_ETL__STORAGE__RAW=$raw \
        ${account}__BASE_URL="$api" ${account}__ACCOUNT_ID=acct-sim \
        ${account}__STREAM_ID=st-sim ${account}__TOKEN=a-token-of-the-comparison ${account}__START_FROM="$from" \
        ${account}__REQUESTS_PER_MINUTE=0 "$target/release/smartassist-etl" sync
done
common=(API="$api" ACCOUNT_ID=acct-sim STREAM_ID=st-sim TOKEN=a-token-of-the-comparison FROM="$from" TO="$to")
for hours in 8 1; do
    measured "dlt $hours h" env "${common[@]}" WINDOW_HOURS=$hours DLT_DATA_DIR="$work/dlt$hours" RUNTIME__DLTHUB_TELEMETRY=false \
        DESTINATION__POSTGRES__CREDENTIALS="postgresql://postgres:none@localhost:$port/dlt_${hours}_h?host=$PGHOST" \
        "$work/python/bin/python" benches/comparison/dlt_load.py
done
# Its cache and log files are made where it runs.
for hours in 8 1; do
    measured "airbyte $hours h" env --chdir="$work" "${common[@]}" WINDOW_HOURS=$hours PGDATABASE=airbyte_${hours}_h \
        AIRBYTE_OFFLINE_MODE=1 AIRBYTE_LOGGING_ROOT="$work/logs" DO_NOT_TRACK=1 \
        "$work/airbyte/bin/python" "$PWD/benches/comparison/airbyte_load.py"
done
