#!/usr/bin/env bash
# Tries what is shipped for BI tools, on demo data and as the login that compose gives them: the SQL of docs/metrics.md and docs/bi.md,
# Grafana's queries, the dbt package, and the dashboards in a real Superset and a real browser, in light and dark; then exports, deletes
# and imports them again. Needs a way to PyPI the first time. The last line is `N passed, N failed`.
#   KEEP=1        keeps the work directory with logs and pictures
#   BIN_DIR=DIR   takes the two programs from there in place of building them
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
superset=(apache-superset==6.1.0 psycopg2-binary rich cachetools flask-caching==2.3.1 gunicorn playwright)
dbt=('dbt-core~=1.10.0' 'dbt-postgres~=1.9' 'dbt-metricflow~=0.13.0')
interactions=${INTERACTIONS:-20000}

work=$(mktemp -d /var/tmp/smartassist-etl-bi.XXXXXX)
chmod 711 "$work"
simulator_pid='' superset_pid='' server=''

# As root, PostgreSQL runs as somebody else.
as_server() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }
cleanup() {
    local status=$?
    trap - EXIT
    [ -z "$simulator_pid" ] || kill "$simulator_pid" 2>/dev/null || true
    # Its workers end with it; it is the leader of its group.
    [ -z "$superset_pid" ] || kill -- "-$superset_pid" 2>/dev/null || true
    [ -z "$server" ] || as_server "$server/pg_ctl" --pgdata "$work/server/data" --mode immediate stop >/dev/null 2>&1 || true
    if [ -n "${KEEP:-}" ] || [ "$status" != 0 ]; then echo "test-bi: logs and pictures are in $work" >&2; else rm -rf "$work"; fi
    exit "$status"
}
trap cleanup EXIT
fail() { printf 'test-bi: FAILED: %s\n' "$*" >&2; exit 1; }
step() { printf '\ntest-bi: %s\n' "$*"; }
# To its end, with its output in a file, which is shown where it fails.
quietly() {
    local log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null || { tail -n 30 "$log" >&2; fail "$*"; }
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

step "programs"
for name in $(compgen -e SIMULATOR_) $(compgen -e SMARTASSIST_ETL_) $(compgen -e SUPERSET_) $(compgen -e DBT_) $(compgen -e PG) DATABASE_URL; do unset "$name"; done
export PYTHONDONTWRITEBYTECODE=1
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
bin=${BIN_DIR:-}
if [ -z "$bin" ]; then
    cargo build --locked --workspace --bins
    bin=${CARGO_TARGET_DIR:-target}/debug
fi
venvs=${CARGO_TARGET_DIR:-target}/bi
mkdir -p "$venvs"
venvs=$(cd "$venvs" && pwd)
# venv NAME PACKAGES...: kept for the next time, as long as the packages are the same.
venv() {
    local name=$1
    shift
    [ "$(cat "$venvs/$name/installed" 2>/dev/null)" = "$*" ] && return 0
    rm -rf "${venvs:?}/$name"
    quietly "venv-$name" python3 -m venv "$venvs/$name"
    quietly "pip-$name" "$venvs/$name/bin/pip" install --disable-pip-version-check "$@"
    echo "$*" >"$venvs/$name/installed"
}
venv superset "${superset[@]}"
venv dbt "${dbt[@]}"

step "a PostgreSQL, set up as compose does it"
for server in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb 2>/dev/null || echo /none/x)")"; do [ -x "$server/initdb" ] && break; done
[ -x "$server/initdb" ] || fail "no server programs of PostgreSQL were found"
mkdir -p "$work/server" "$work/secrets"
[ "$(id -u)" != 0 ] || chown 65534:65534 "$work/server"
for name in postgres database reports superset_admin dbt; do head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/secrets/${name}_password"; done
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/secrets/superset_secret_key"
install -m 444 "$work/secrets/postgres_password" "$work/server.password"
port=$(free_port)
quietly initdb as_server "$server/initdb" --pgdata "$work/server/data" --username postgres --pwfile "$work/server.password" --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8
quietly server as_server "$server/pg_ctl" --pgdata "$work/server/data" --wait --log "$work/server/log" \
    --options "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c fsync=off" start
export PGHOST=127.0.0.1 PGPORT=$port
PGPASSWORD=$(cat "$work/secrets/postgres_password")
export PGPASSWORD
psql() { command psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"; }
# The script below takes the superuser's password away.
psql --username postgres --dbname postgres --command "create role admin superuser login password '$PGPASSWORD'"
quietly roles env PASSWORD_FILE="$work/secrets/database_password" REPORTS_PASSWORD_FILE="$work/secrets/reports_password" sh deploy/postgres/init.sh

step "$interactions interactions of a simulated contact centre, then late changes"
"$bin/smartassist-simulator" --bind 127.0.0.1:0 --port-file "$work/simulator.port" --interactions "$interactions" --days 30 \
    --requests-per-minute 0 --vendor-shapes --rhythm week >"$work/simulator.log" 2>&1 </dev/null &
simulator_pid=$!
for _ in $(seq 600); do [ -s "$work/simulator.port" ] && break; sleep 0.2; done
[ -s "$work/simulator.port" ] || fail "the simulator did not start"
api=http://$(cat "$work/simulator.port")
etl=(env "DATABASE_URL=postgres://smartassist@127.0.0.1:$port/demo?sslmode=disable" "SMARTASSIST_ETL__DATA_DIR=$work/data"
    "SMARTASSIST_ETL__DATABASE__PASSWORD_FILE=$work/secrets/database_password" SMARTASSIST_ETL__REPORTING__TIME_ZONE=America/New_York
    "SMARTASSIST_ETL__ACCOUNTS__DEMO__BASE_URL=$api" SMARTASSIST_ETL__ACCOUNTS__DEMO__ACCOUNT_ID=acct-sim SMARTASSIST_ETL__ACCOUNTS__DEMO__STREAM_ID=st-sim
    SMARTASSIST_ETL__ACCOUNTS__DEMO__CLIENT_ID=cs-sim SMARTASSIST_ETL__ACCOUNTS__DEMO__CLIENT_SECRET=simulator-secret-0123456789abcdef
    SMARTASSIST_ETL__ACCOUNTS__DEMO__REQUESTS_PER_MINUTE=0 "$bin/smartassist-etl")
quietly sync "${etl[@]}" sync
quietly mutate curl --silent --show-error --fail --header 'content-type: application/json' --data '{"fraction": 0.02, "seed": 7}' "$api/_simulator/mutate"
# The second one is sure of what the first one no longer got.
for again in 1 2; do
    quietly "refetch-$again" "${etl[@]}" backfill --from "$(python3 -c 'import datetime as d; print(d.date.today() - d.timedelta(28))')" \
        --to "$(python3 -c 'import datetime as d; print(d.datetime.now(d.timezone.utc).date())')" --refetch
done
kill "$simulator_pid"
simulator_pid=''

# As docs/bi.md says.
psql --username admin --dbname demo <<SQL
create role dbt login password '$(cat "$work/secrets/dbt_password")' in role smartassist_bi_reader;
alter role dbt set jit = off;
grant connect on database demo to dbt;
create schema analytics authorization dbt;
SQL
unset PGPASSWORD

step "Superset, started as compose does it"
bind=127.0.0.1:$(free_port)
export SUPERSET_BIND=$bind SUPERSET_URL=http://$bind SUPERSET_HOME=$work/superset SUPERSET_SECRETS_DIR=$work/secrets
export SUPERSET_PASSWORD_FILE=$work/secrets/superset_admin_password SUPERSET_CONFIG_PATH=$root/deploy/superset/superset_config.py
export SMARTASSIST_BI_URL=postgresql+psycopg2://smartassist_reports@127.0.0.1:$port/demo SMARTASSIST_BI_PASSWORD_FILE=$work/secrets/reports_password
mkdir -p "$SUPERSET_HOME"
set -m
PATH="$venvs/superset/bin:$PATH" deploy/superset/start.sh >"$work/superset.log" 2>&1 </dev/null &
set +m
superset_pid=$!

export WORK=$work DBT=$venvs/dbt/bin/dbt DBT_SEND_ANONYMOUS_USAGE_STATS=false DBT_LOG_PATH=$work/dbt/logs
export DBT_PROFILES_DIR=$work/dbt SMARTASSIST_DBT_HOST=127.0.0.1 SMARTASSIST_DBT_PORT=$port SMARTASSIST_DBT_DATABASE=demo
SMARTASSIST_DBT_PASSWORD=$(cat "$work/secrets/dbt_password")
export SMARTASSIST_DBT_PASSWORD
mkdir -p "$DBT_PROFILES_DIR"
cp deploy/dbt/profiles.example.yml "$DBT_PROFILES_DIR/profiles.yml"
"$venvs/superset/bin/python" scripts/test-bi.py
