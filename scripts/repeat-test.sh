#!/usr/bin/env bash
# Runs one test again and again, to see whether its verdict can be believed:
#   scripts/repeat-test.sh NAME TIMES [LOOPS]
# NAME is the test's name, with its modules or without. LOOPS busy loops run beside it, as on a machine that does much
# else. Prints the seconds of each time, the output of each that failed, and the verdict in the last line.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,5s/^# \{0,1\}//p' scripts/repeat-test.sh >&2; exit 2; }
[ $# = 2 ] || [ $# = 3 ] || usage
name=$1 times=$2 loops=${3:-0}
[[ $times$loops =~ ^[0-9]+$ ]] || usage
export SETUP_FOR=test
# Once with the toolchain on PATH, and not again for each time.
[ -n "${IN_TOOLCHAIN:-}" ] || IN_TOOLCHAIN=1 exec scripts/with-toolchain.sh scripts/repeat-test.sh "$@"

# Ends a loop also where this script is killed and cannot.
LOOP_SECONDS=600
work=$(mktemp -d)
busy=()
end_loops() {
    [ ${#busy[@]} = 0 ] || { kill "${busy[@]}" && wait "${busy[@]}"; } 2>/dev/null || true
    busy=()
}
trap 'end_loops; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cargo test --workspace --locked --no-run 2>"$work/build" || { cat "$work/build" >&2; exit 1; }

# Each as "binary test".
found=()
while read -r binary; do
    while read -r test; do
        [[ $test = "$name" || $test = *::"$name" ]] && found+=("$binary $test")
    done < <("$binary" --list --format terse | sed -n 's/: test$//p')
done < <(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build")
if [ ${#found[@]} != 1 ]; then
    printf 'repeat-test: %s tests are named %s\n' "${#found[@]}" "$name" >&2
    [ ${#found[@]} = 0 ] || printf '  %s\n' "${found[@]#* }" >&2
    exit 2
fi
read -r binary test <<<"${found[0]}"

failed=0
for ((time = 1; time <= times; time++)); do
    for ((loop = 0; loop < loops; loop++)); do
        timeout "$LOOP_SECONDS" sh -c 'while :; do :; done' &
        busy+=($!)
    done
    begun=${EPOCHREALTIME/./}
    verdict=ok
    "$binary" --exact "$test" --include-ignored --nocapture >"$work/output" 2>&1 || verdict=FAILED
    end_loops
    took=$(((${EPOCHREALTIME/./} - begun) / 10000))
    printf '%3d  %s  %d.%02d s\n' "$time" "$verdict" $((took / 100)) $((took % 100))
    [ "$verdict" = ok ] || { failed=$((failed + 1)); cat "$work/output"; }
done
printf 'repeat-test: %s failed %d of %d times, %d busy loops beside it\n' "$test" "$failed" "$times" "$loops"
[ "$failed" = 0 ]
