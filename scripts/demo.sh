#!/usr/bin/env bash
# Shows the product at work, with nothing but this machine: a simulated contact centre serves the API, the daemon loads
# it into a private PostgreSQL. `make demo` goes on until Ctrl-C; with ONCE=1 it goes through once, checks every claim
# that it prints, and exits 0. Everything is kept in one temporary directory, which is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

once=${ONCE:-}
interactions=3000
days=14
profile=${PROFILE:-dev}
patience=300

# As root, PostgreSQL runs as another user, which must be able to enter the directory; a clone may lie where it can't.
work=$(mktemp -d /var/tmp/smartassist-etl-demo.XXXXXX)
chmod 711 "$work"
data=$work/data
simulator_pid='' daemon_pid='' log=''

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   /'; }

fail() {
    printf '\nThe demo failed: %s\n' "$*" >&2
    if [ -s "$log" ]; then
        printf 'The last lines of %s:\n' "$log" >&2
        tail -n 25 "$log" | cut -c -600 >&2
    fi
    printf 'Logs and data are kept in %s\n' "$work" >&2
    work=''
    exit 1
}

# Ends a process of ours: asks, waits for a minute, kills what has not ended. Gives its exit code.
end_process() {
    local deadline=$((SECONDS + 60))
    kill -TERM "$1" 2>/dev/null || true
    while kill -0 "$1" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$1" 2>/dev/null || true
        sleep 0.1
    done
    wait "$1"
}

cleanup() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    [ -z "$daemon_pid" ] || end_process "$daemon_pid" || true
    [ -z "$simulator_pid" ] || end_process "$simulator_pid" || true
    # Neither a good end, nor Ctrl-C, nor told already: a command of this script failed.
    case $status in 0 | 130 | 143) ;; *) [ -z "$work" ] || (fail "a step ended with exit code $status") || work='' ;; esac
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In the background, in a process group of its own, so that Ctrl-C reaches this script alone and the order of ends is ours.
# The id is in $!.
background() {
    log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    set +m
}

# wait_for WHAT PID COMMAND...: until the command succeeds, however slow the machine; fails early when the process has ended.
wait_for() {
    local limit=$((SECONDS + patience)) what=$1 pid=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || fail "$what: its process ended"
        [ "$SECONDS" -lt "$limit" ] || fail "$what: not within $patience s"
        sleep 0.2
    done
}

sql() {
    PGCONNECT_TIMEOUT=5 psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
        --pset pager=off --pset footer=off --pset null=- \
        --host "$data/postgres/socket" --port 5432 --username smartassist --dbname smartassist "$@"
}
# table TITLE QUERY
table() { echo; note "$1"; sql --command "$2" | sed '/^$/d' | indent; }
value() { sql --tuples-only --no-align --command "$1"; }

free_port() {
    local port
    for port in $(seq 8080 8180); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    fail "no free port between 8080 and 8180"
}

# New interactions, begun this moment in the simulated contact centre.
arrive() {
    curl --silent --show-error --fail --max-time 10 --header 'content-type: application/json' \
        --data "{\"count\": $1, \"ago_seconds\": 0}" "$api/_simulator/interactions" >/dev/null
}

count() { value 'select count(*) from smartassist.sessions'; }
polls() { value "select count(*) from smartassist_sync.runs where kind = 'poll' and status = 'succeeded'"; }
at_least() { [ "$("$1")" -ge "$2" ]; }

# Agents and customers change some of what is there: dispositions, surveys, late ends, sessions that vanish or gain a
# conversation. Prints how many.
change() {
    curl --silent --show-error --fail --max-time 30 --header 'content-type: application/json' \
        --data '{"fraction": 0.01, "seed": 7}' "$api/_simulator/mutate" | sed 's/.*"changed": *\([0-9]*\).*/\1/'
}
changed_rows() { value "select count(*) from smartassist.sessions where last_changed_at > first_seen_at"; }

# One figure for the place and version of every data row: any write at all changes it.
row_versions() {
    local table union=''
    for table in sessions destinations agent_segments consultations joined_users tags raw_interactions; do
        union+="${union:+ union all }select tableoid::bigint as t, ctid, xmin::text as x from smartassist.$table"
    done
    value "select md5(string_agg(t || ':' || ctid || ':' || x, ',' order by t, ctid)) from ($union) rows"
}

printf '%sSmartAssist ETL: a simulated contact centre, the real daemon, a private PostgreSQL%s\n' "$bold" "$plain"
note "everything is kept in $work and removed at the end"

step "1  Build ($profile profile; the first time takes some minutes)"
log=$work/build.log
begun=$SECONDS
if [ -t 2 ]; then
    cargo build --locked --workspace --bins --profile "$profile"
else
    cargo build --locked --workspace --bins --profile "$profile" >"$log" 2>&1
fi
bin=${CARGO_TARGET_DIR:-target}/$([ "$profile" = dev ] && echo debug || echo "$profile")
note "done in $((SECONDS - begun)) s"

# Up to a midnight that is some hours ago: no conversation is still going on, so that nothing changes unless the demo
# changes it.
from=$(date -u -d "$days days ago 3 hours ago" +%F 2>/dev/null || date -u -v "-${days}d" -v -3H +%F)
to=$(date -u -d '3 hours ago' +%F 2>/dev/null || date -u -v -3H +%F)
step "2  The contact centre: an API server with $interactions interactions from $from to $to"
for name in $(compgen -e SIMULATOR_) $(compgen -e SMARTASSIST_ETL_) $(compgen -e PG) DATABASE_URL; do unset "$name"; done
background "$work/simulator.log" "$bin/smartassist-simulator" --bind 127.0.0.1:0 --port-file "$work/simulator.port" \
    --interactions "$interactions" --from "$from" --to "$to" --requests-per-minute 0 --vendor-shapes
simulator_pid=$!
wait_for "the simulator" "$simulator_pid" test -s "$work/simulator.port"
api=http://$(cat "$work/simulator.port")
note "at $api (its limit of 60 requests a minute is lifted, so that the demo is quick)"

# The daemon's whole configuration. Nothing else is needed to begin.
export SMARTASSIST_ETL__DATA_DIR=$data
export SMARTASSIST_ETL__ACCOUNTS__DEMO__BASE_URL=$api
export SMARTASSIST_ETL__ACCOUNTS__DEMO__ACCOUNT_ID=acct-sim
export SMARTASSIST_ETL__ACCOUNTS__DEMO__STREAM_ID=st-sim
export SMARTASSIST_ETL__ACCOUNTS__DEMO__CLIENT_ID=cs-sim
export SMARTASSIST_ETL__ACCOUNTS__DEMO__CLIENT_SECRET=simulator-secret-0123456789abcdef
export SMARTASSIST_ETL__ACCOUNTS__DEMO__START_FROM=$from
export SMARTASSIST_ETL__ACCOUNTS__DEMO__REQUESTS_PER_MINUTE=0
export SMARTASSIST_ETL__SYNC__POLL='*/5 * * * * *'
export SMARTASSIST_ETL__SYNC__REFRESH='[{"every": "2/10 * * * * *", "lookback": "20d"}]'
export SMARTASSIST_ETL__SYNC__SETTLE_SECONDS=2
export SMARTASSIST_ETL__REPORTING__SHOWN_TAGS=intent,language,region,tier
export SMARTASSIST_ETL__LOG__FORMAT=json

# pass NAME ARGUMENTS...: one command of the product, to its end.
pass() {
    local name=$1 begun=$SECONDS
    shift
    background "$work/$name.log" "$bin/smartassist-etl" "$@"
    daemon_pid=$!
    wait "$daemon_pid" || fail "smartassist-etl $*: exit code $?"
    daemon_pid=''
    note "smartassist-etl $*: $((SECONDS - begun)) s, the private PostgreSQL's start and stop included"
}

step "3  First load"
pass first-load sync
step "4  The same again"
pass second-load sync

step "5  The daemon: smartassist-etl run, polling every 5 s and reading again every 10 s"
# Not sooner: somebody else might take the port meanwhile.
address=127.0.0.1:$(free_port)
export SMARTASSIST_ETL__HTTP__BIND=$address
background "$work/daemon.log" "$bin/smartassist-etl" run
daemon_pid=$!
wait_for "the daemon" "$daemon_pid" curl --silent --fail --max-time 5 "http://$address/readyz"
note "ready at http://$address"
table "Its ledger (smartassist_sync.runs) on the two passes before:" "
    select kind, status, round(extract(epoch from finished_at - started_at)::numeric, 1) as seconds,
           requests, records, inserted, updated, unchanged
    from smartassist_sync.runs where kind = 'sync' order by id"
echo
writes=$(value "
    select string_agg(concat_ws(' ', status, inserted, updated), ', ' order by id)
    from smartassist_sync.runs where kind = 'sync'")
wanted="succeeded $interactions 0, succeeded 0 0"
[ "$writes" = "$wanted" ] || fail "inserted and updated should be '$wanted', and are '$writes'"
loaded=$(count)
[ "$loaded" = "$interactions" ] || fail "$interactions interactions are served, $loaded are in smartassist.sessions"

before=$(row_versions)
target=$(($(polls) + 2))
wait_for "two polls" "$daemon_pid" at_least polls "$target"
after=$(row_versions)
note "two polls with nothing new: not one row was written (digest of all row versions: ${before::12}, then ${after::12})"
[ "$before" = "$after" ] || fail "a poll that brought nothing new has written to the data tables"

arrive 5
begun=$SECONDS
wait_for "5 new interactions" "$daemon_pid" at_least count $((interactions + 5))
arrived=$((SECONDS - begun))
note "5 customers call in: their interactions were in PostgreSQL after $arrived s"

step "6  What is there changes, and is compared with the API"
changed=$(change)
begun=$SECONDS
# Some sessions vanish, which only the second read that misses them makes sure of; a few changes change nothing.
wait_for "the changes" "$daemon_pid" at_least changed_rows $((changed * 8 / 10))
note "$changed interactions changed at the API; the changes were in PostgreSQL after $((SECONDS - begun)) s"
same() { "$bin/smartassist-etl" verify --from "$from" --to "$to" >"$work/verify.txt" 2>"$work/verify.log"; }
wait_for "the comparison" "$daemon_pid" same
indent <"$work/verify.txt"

# list_since INSTANT: what came after it, of what began within the hour.
list_since() {
    value "
        select format('%s  %-18s %-9s %-7s  in PostgreSQL %s s after it began', to_char(first_seen_at, 'HH24:MI:SS'), channel,
                      direction, smart_status, round(extract(epoch from first_seen_at - session_started_at)))
        from smartassist.sessions where first_seen_at > '$1' and session_started_at > now() - interval '1 hour'
        order by first_seen_at, interaction_key"
}

step "7  What is in PostgreSQL now"
note "Those that began in these minutes:"
list_since epoch | indent
table "How many rows?" "
    select (select count(*) from smartassist.sessions) as sessions,
           (select count(*) from smartassist.destinations) as destinations,
           (select count(*) from smartassist.agent_segments) as agent_segments,
           (select count(*) from smartassist.consultations) as consultations,
           (select count(*) from smartassist.joined_users) as joined_users,
           (select count(*) from smartassist.tags) as tags"
table "How do customers come in, and are they content?" "
    select channel, count(*) as interactions, sum(answered) as by_an_agent,
           round(avg(session_seconds) / 60, 1) as minutes, round(avg(csat_score), 2) as csat
    from smartassist_bi.interactions group by channel order by interactions desc limit 5"
table "Which queues are busy, and how long is the wait?" "
    select queue_label as queue, sum(offered) as offered, sum(answered) as answered, sum(abandoned) as abandoned,
           round(100.0 * sum(answered_in_target) / sum(offered), 1) as service_level_percent,
           percentile_disc(0.5) within group (order by answer_seconds) as median_wait_seconds
    from smartassist_bi.queue_visits group by queue_label order by offered desc limit 5"
table "Who handles them, and for how long?" "
    select agent_label as agent, sum(answered) as answered, sum(missed) as missed,
           round(sum(handle_seconds) / nullif(sum(handled), 0)) as handle_seconds
    from smartassist_bi.agent_offers group by agent_label order by answered desc, agent limit 5"

# SIGTERM to the daemon, which has to end with 0.
stop_daemon() {
    local code=0 pid=$daemon_pid
    log=$work/daemon.log
    daemon_pid=''
    end_process "$pid" || code=$?
    [ "$code" = 0 ] || fail "the daemon ended with exit code $code after SIGTERM"
}

if [ -n "$once" ]; then
    total=$(count)
    stop_daemon
    step "Done"
    note "$interactions interactions loaded, a second pass wrote nothing; 5 new ones were there after"
    note "$arrived s, $total in all; $changed changes were found, and every day is as the API counts it; the daemon"
    note "ended on SIGTERM with exit code 0. All of this was checked."
    exit 0
fi

step "8  It goes on until Ctrl-C: a few customers every 5 s"
note "status        http://$address/ (also /healthz, /readyz, /metrics)"
note "psql          psql -h $data/postgres/socket -p 5432 -U smartassist smartassist   (as $(id -un))"
note "daemon's log  $work/daemon.log"
echo
finish() {
    trap '' INT TERM
    printf '\n'
    note "stopping the daemon ..."
    stop_daemon
    note "ended with exit code 0"
    exit 0
}
trap finish INT TERM
seen=$(value 'select max(first_seen_at) from smartassist.sessions')
while sleep 5; do
    kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon has ended by itself"
    list_since "$seen" | indent
    seen=$(value 'select max(first_seen_at) from smartassist.sessions')
    arrive $((1 + RANDOM % 3))
done
