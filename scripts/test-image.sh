#!/usr/bin/env bash
# Builds the container image and tries it: read-only, as user 65532, without a capability, against the simulator and a
# PostgreSQL of this machine. Needs docker, podman or buildah, and what `make demo` needs. IMAGE: an image that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test-image: %s\n' "$*"; }
work=$(mktemp -d)
chmod 755 "$work"
fail() {
    printf 'test-image: FAILED: %s\n' "$*" >&2
    local log
    for log in "$work"/*.log; do
        [ ! -s "$log" ] || { printf '%s\n' "--- ${log##*/}, its last lines:" >&2; tail -n 15 "$log" >&2; }
    done
    exit 1
}

# shellcheck source=scripts/servers.sh
. scripts/servers.sh
container_pid='' container=''
cleanup() {
    local status=$?
    trap - EXIT
    [ -z "$container_pid" ] || { stop_container || true; }
    stop_servers
    case $engine in
        buildah) [ -z "$container" ] || buildah rm "$container" >/dev/null 2>&1 || true ;;
        *) "$engine" rm --force smartassist-etl-test >/dev/null 2>&1 || true ;;
    esac
    rm -rf "$work"
    exit "$status"
}

if docker info >/dev/null 2>&1; then engine=docker
elif command -v podman >/dev/null; then engine=podman
elif command -v buildah >/dev/null; then engine=buildah
else fail "needs a running docker, or podman, or buildah"; fi
trap cleanup EXIT
trap 'exit 130' INT TERM

[ -n "${IMAGE:-}" ] || scripts/image.sh
image=${IMAGE:-smartassist-etl}

# What the image holds, as a directory.
root=$work/root
mkdir "$root"
if [ "$engine" = buildah ]; then
    container=$(buildah from --pull-never "$image")
    tree=$(buildah mount "$container")
    cp -a "$tree/." "$root/"
else
    container=$("$engine" create "$image")
    "$engine" export "$container" | tar -C "$root" -xf -
    "$engine" rm "$container" >/dev/null
    container=''
fi

programs=$(cd "$root" && find . -type f -perm /111 ! -name '*.so*' | sort | tr '\n' ' ')
[ "$programs" = "./smartassist-etl " ] || fail "programs in the image besides the product: $programs"
[ -z "$(find "$root" -perm /6000 -type f)" ] || fail "setuid programs in the image"
python3 - "$root/sbom.cdx.json" <<'PYTHON' || fail "sbom.cdx.json is no bill of materials"
import json, sys
bom = json.load(open(sys.argv[1]))
names = {component["name"] for component in bom["components"]}
assert bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["name"] == "smartassist-etl"
assert {"sqlx", "tokio", "reqwest"} <= names, names
print(f"test-image: the bill of materials names {len(names)} components")
PYTHON
readelf --sections --wide "$root/smartassist-etl" | grep -q '\.dep-v0' || fail "the binary does not say what it is made of"
say "one program, no shell, no setuid; $(du -sm --apparent-size "$root" | cut -f 1) MB unpacked ($(stat -c %s "$root/smartassist-etl") bytes of them the binary)"

reserve_ports
mkdir "$work/secrets"
printf 'a:b@c/d' >"$work/secrets/database_password" # what would have to be escaped in a URL
printf 'a-token-of-the-status-page' >"$work/secrets/http_token"
printf 'simulator-secret-0123456789abcdef' >"$work/secrets/client_secret"
chmod 444 "$work/secrets"/*
start_postgres "$work/secrets/database_password"
# Up to last midnight: all of it is old enough to be loaded at once.
start_simulator --interactions 500 --from "$(date -u -d '2 days ago' +%F)" --to "$(date -u +%F)"

settings=(
    "DATABASE_URL=postgres://smartassist@127.0.0.1:$database_port/postgres?sslmode=disable"
    SMARTASSIST_ETL__DATABASE__PASSWORD_FILE=/run/secrets/database_password
    "SMARTASSIST_ETL__HTTP__BIND=127.0.0.1:$http_port"
    SMARTASSIST_ETL__HTTP__TOKEN_FILE=/run/secrets/http_token
    "SMARTASSIST_ETL__ACCOUNTS__MAIN__BASE_URL=$api"
    SMARTASSIST_ETL__ACCOUNTS__MAIN__ACCOUNT_ID=acct-sim
    SMARTASSIST_ETL__ACCOUNTS__MAIN__STREAM_ID=st-sim
    SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_ID=cs-sim
    SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET_FILE=/run/secrets/client_secret
    SMARTASSIST_ETL__ACCOUNTS__MAIN__REQUESTS_PER_MINUTE=0
    SMARTASSIST_ETL__SYNC__POLL='*/5 * * * * *'
)
if [ "$engine" = buildah ]; then
    # It can run nothing read-only: the image's files, read-only, as the root of a process without a right.
    [ "$(id -u)" = 0 ] || fail "buildah's image can be tried by root alone"
    config() { buildah inspect --type image --format "{{.$1}}" "$image"; }
    [ "$(config OCIv1.Config.User)" = 65532:65532 ] || fail "it is not for user 65532"
    [ "$(config OCIv1.Config.Entrypoint) $(config OCIv1.Config.Cmd)" = "[/smartassist-etl] [run]" ] || fail "it does not start the daemon"
    config Docker.Config.Healthcheck.Test | grep -q 'smartassist-etl healthcheck' || fail "it has no HEALTHCHECK"
    mkdir -p "$root/run/secrets" "$root/proc" "$root/dev"
    in_container() {
        env -i PATH="$PATH" "${settings[@]}" unshare --mount bash -euc '
            root=$1 secrets=$2
            shift 2
            mount --bind "$root" "$root"
            mount --bind "$secrets" "$root/run/secrets"
            mount --rbind /dev "$root/dev"
            mount -t proc proc "$root/proc"
            mount -o remount,bind,ro "$root"
            unset PATH PWD OLDPWD SHLVL _
            exec /usr/bin/setpriv --clear-groups --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid -- \
                /usr/bin/unshare --root="$root" --setgid=65532 --setuid=65532 "$@"
        ' bash "$root" "$work/secrets" "$@"
    }
    start_container() { in_container /smartassist-etl run; }
    # Each program above makes way for the next.
    daemon() { pgrep --exact --full '/smartassist-etl run' --parent "$container_pid" || echo "$container_pid"; }
    stop_container() {
        kill -TERM "$(daemon | head -n 1)" 2>/dev/null || true
        wait "$container_pid"
    }
else
    start_container() {
        local flags=() setting
        for setting in "${settings[@]}"; do flags+=(--env "$setting"); done
        "$engine" run --name smartassist-etl-test --read-only --cap-drop ALL \
            --security-opt no-new-privileges --memory 256m --pids-limit 128 --network host \
            --volume "$work/secrets:/run/secrets:ro" "${flags[@]}" "$image"
    }
    daemon() { "$engine" inspect --format '{{.State.Pid}}' smartassist-etl-test; }
    in_container() { "$engine" exec smartassist-etl-test "$@"; }
    stop_container() {
        "$engine" stop --time 30 smartassist-etl-test >/dev/null
        wait "$container_pid"
    }
fi

start_container >"$work/container.log" 2>&1 &
container_pid=$!
loaded() { [ "$(sql 'select count(*) from smartassist.sessions')" -ge 500 ]; }
wait_for "500 interactions" loaded
say "$(sql 'select count(*) from smartassist.sessions') interactions are loaded"
in_container /smartassist-etl healthcheck >"$work/healthcheck.log" 2>&1 || fail "healthcheck"
in_container /smartassist-etl status >"$work/status.log" 2>&1 || fail "status"
! in_container /bin/sh -c true >/dev/null 2>&1 || fail "there is a shell"
code() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "$@" "http://127.0.0.1:$http_port/"; }
[ "$(code)" = 401 ] || fail "the status page asks for no token"
[ "$(code --header "authorization: Bearer $(cat "$work/secrets/http_token")")" = 200 ] || fail "the status page does not take its token"
user=$(ps -o uid= -p "$(daemon | head -n 1)" | tr -d ' ')
[ "$user" = 65532 ] || fail "it runs as user $user, not as 65532"
for line in 'Uid:.*65532.65532.65532.65532$' 'CapEff:.*0000000000000000$' 'NoNewPrivs:.*1$'; do
    grep -q "^$line" "/proc/$(daemon | head -n 1)/status" || fail "the process has more rights than it should: no $line"
done
awk '$5 == "/" { flags = $6 } END { exit flags !~ /^ro/ }' "/proc/$(daemon | head -n 1)/mountinfo" || fail "its root can be written to"
say "read-only, user $user, no capability; healthcheck and status are well, the status page asks for its token"
stopped=0
stop_container || stopped=$?
container_pid=''
[ "$stopped" = 0 ] || fail "exit code $stopped after SIGTERM"
say "ended on SIGTERM with exit code 0"
case $engine in
    buildah) say "image size: $(buildah images --format '{{.Size}}' "$image")" ;;
    *) say "image size: $("$engine" image inspect --format '{{.Size}}' "$image") bytes" ;;
esac
