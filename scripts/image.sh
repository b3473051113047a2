#!/usr/bin/env bash
# Builds the container image with what there is: docker, podman or buildah. IMAGE: its name; BUILD_FLAGS: further flags.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
created=$(git log -1 --format=%cI 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)
# Not what was committed: then the label must not say so.
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-changed

if docker info >/dev/null 2>&1; then
    build=(docker build)
elif command -v podman >/dev/null; then
    build=(podman build --format docker)
elif command -v buildah >/dev/null; then
    build=(buildah bud --format docker --layers)
else
    echo "the image needs a running docker, or podman, or buildah" >&2
    exit 1
fi
read -ra flags <<<"${BUILD_FLAGS:-}"
set -x
"${build[@]}" "${flags[@]}" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --build-arg "CREATED=$created" --tag "${IMAGE:-smartassist-etl}" .
