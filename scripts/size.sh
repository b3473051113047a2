#!/usr/bin/env bash
# How large the project is at a commit, counted in the same way at each: scripts/size.sh [COMMIT]   (what is checked out, without)
# Code is lines of Rust without blanks, comments and unit tests (files and modules named tests). Words are those of the
# comments. Types are structs, enums, traits and aliases outside of tests.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -le 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }

tree=$PWD
if [ $# = 1 ]; then
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    git archive "$1" | tar -x -C "$tree"
fi

# Reads the names of files, one a line, and prints a row of the table for each part of the project, as `part` names it.
count='
function part(file,   parts) {
    split(file, parts, "/")
    if (parts[1] == "src" && file ~ /\.sql$/) return "SQL in src"
    if (parts[1] != "src") return parts[1]
    return file ~ /\/.*\// ? "src/" parts[2] : "src"
}
function read_file(file,   line, in_tests, of, is_sql, unused) {
    of = part(file)
    is_sql = file ~ /\.sql$/
    in_tests = of ~ /^src/ && file ~ /\/tests(\.rs|\/)/
    if (files[of]++ == 0 && of ~ /^src/) rooms[++n] = of
    while ((getline line < (tree "/" file)) > 0) {
        sub(/^[ \t]+/, "", line)
        if (line ~ /^#\[cfg\(test\)\]/) { pending = 1; continue }
        if (pending && line ~ /^mod [a-z_]+ \{/) in_tests = 1
        pending = 0
        if (line == "") continue
        if (line ~ (is_sql ? "^--" : "^//")) {
            comments[of]++
            words[of] += split(line, unused, /[ \t]+/) - 1
            continue
        }
        if (in_tests) { tests[of]++; continue }
        code[of]++
        if (line ~ /^(pub(\([a-z: ]+\))? )?(struct|enum|trait|type) [A-Z]/) types[of]++
    }
    close(tree "/" file)
}
function row(of) {
    printf "%-12s %6d %7d %9d %7d %11d %6d\n", of, files[of], code[of], comments[of], words[of], tests[of], types[of]
}
{ read_file($0) }
END {
    printf "%-12s %6s %7s %9s %7s %11s %6s\n", "", "files", "code", "comments", "words", "unit tests", "types"
    for (i = 1; i <= n; i++) {
        of = rooms[i]
        row(of)
        files["all of src"] += files[of]; code["all of src"] += code[of]; comments["all of src"] += comments[of]
        words["all of src"] += words[of]; tests["all of src"] += tests[of]; types["all of src"] += types[of]
    }
    row("all of src")
    row("SQL in src"); row("migrations"); row("tests"); row("simulator")
}'
(cd "$tree" && find src tests simulator migrations -type f \( -name '*.rs' -o -name '*.sql' \) | LC_ALL=C sort) | awk -v tree="$tree" "$count"
