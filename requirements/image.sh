#!/bin/sh
# Builds the image of what is committed here; twice from the same commit and base, it is the same image.
#   BASE    the image to build on, best by its digest (python:3.13-slim@sha256:…); the Dockerfile has a default
#   IMAGE   its name (partwise:VERSION)
#   BUILDER docker, podman or buildah; else the first of them that is there
#   FLAGS   more for the builder
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' app/__init__.py)
revision=$(git rev-parse HEAD)
# The commit's own time is that of all files.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

builder=${BUILDER:-}
for one in docker podman buildah; do
    if [ -z "$builder" ] && command -v "$one" > /dev/null; then builder=$one; fi
done
case "$builder" in
    '') echo "error: no docker, podman or buildah is installed" >&2; exit 1 ;;
    *docker) set -- buildx build --output "type=docker,rewrite-timestamp=true" --provenance=false ;;
    # The format of Docker has health checks.
    *) set -- build --format docker --timestamp "$SOURCE_DATE_EPOCH" ;;
esac
# shellcheck disable=SC2086 # flags are many
exec "$builder" "$@" ${FLAGS:-} --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    ${BASE:+--build-arg "BASE=$BASE"} --tag "${IMAGE:-partwise:$version}" .
