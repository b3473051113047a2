#!/usr/bin/env bash
# Pins the images of the Dockerfiles and docker-compose.yml by the digests that their tags have now: rust:1.95-slim-bookworm becomes
# rust:1.95-slim-bookworm@sha256:…, and a digest that is there is renewed. What is built is then what was looked at, whatever the tag
# becomes. Needs curl and a way to the registries; changes nothing unless it knows all digests. Then look at `git diff`.
#   REGISTRY=http://127.0.0.1:5000 scripts/pin-images.sh     asks this registry, such as a mirror, in place of Docker Hub
set -euo pipefail
cd "$(dirname "$0")/.."
files=(Dockerfile deploy/superset/Dockerfile docker-compose.yml)
registry=${REGISTRY:-https://registry-1.docker.io}
kinds='application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json'

fail() {
    printf 'pin-images: FAILED: %s; nothing was changed\n' "$*" >&2
    exit 1
}
ask() { curl --silent --show-error --fail --location --max-time 30 "$@"; }

# Of all platforms together, so that one pin holds on each.
digest() {
    local repository=$1 tag=$2 headers=() token
    if [ -z "${REGISTRY:-}" ]; then
        token=$(ask "https://auth.docker.io/token?service=registry.docker.io&scope=repository:$repository:pull" |
            sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p')
        headers=(--header "Authorization: Bearer $token")
    fi
    ask --head --header "Accept: $kinds" "${headers[@]}" "$registry/v2/$repository/manifests/$tag" |
        tr -d '\r' | sed -n 's/^docker-content-digest: *\(sha256:[0-9a-f]\{64\}\)$/\1/Ip'
}

# Of others only: ours are built here, `scratch` is nothing, and what a stage is made from may be another stage.
images=$(sed -nE 's/^(FROM| *image:) +([a-z0-9./-]+:[A-Za-z0-9._-]+)(@sha256:[0-9a-f]+)?( .*)?$/\2/p' "${files[@]}" | sort -u)
[ -n "$images" ] || fail "no image was found in ${files[*]}"

edits=()
while read -r image; do
    repository=${image%:*}
    repository=${repository#docker.io/}
    case $repository in */*) ;; *) repository=library/$repository ;; esac
    found=$(digest "$repository" "${image##*:}") || fail "no digest of $image could be had"
    [ -n "$found" ] || fail "$image has no digest"
    printf '%s@%s\n' "$image" "$found"
    edits+=(-e "s|$image(@sha256:[0-9a-f]+)?( \|\$)|$image@$found\2|")
done <<<"$images"
sed -E -i.unpinned "${edits[@]}" "${files[@]}"
rm -f "${files[@]/%/.unpinned}"
