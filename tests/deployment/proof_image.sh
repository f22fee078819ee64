#!/bin/sh
# Builds the image of what is committed really, twice, and compares the layers; runs it as its user where nothing can be written.
#   sh tests/deployment/proof_image.sh
# As root, on Debian, with buildah, mmdebstrap and util-linux; no Docker, no registry of images: the base is Debian with its Python,
# made here. Takes some minutes and two gigabytes in a temporary folder.
set -eu
cd "$(dirname "$0")/../.."
for each in buildah mmdebstrap unshare; do
    command -v "$each" > /dev/null || { echo "$each is not installed (Debian: apt-get install buildah mmdebstrap util-linux)" >&2; exit 1; }
done
test -e .wheels/made || { echo "run \`make .wheels/made\` first" >&2; exit 1; }

folder=$(mktemp -d -t partwise-image-XXXXXX)
builder() { command="$1"; shift; buildah --root "$folder/store" --runroot "$folder/run" --storage-driver vfs "$command" "$@"; }
ended() {
    builder rm --all > /dev/null 2>&1 || true
    rm -rf "$folder"
}
trap ended EXIT

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mmdebstrap --quiet --variant=minbase --aptopt='APT::Install-Recommends "false"' \
    --include=python3,python3-venv,python3-pip "$suite" "$folder/base.tar" "$(ls /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null | head -1)"
base=$(builder from scratch)
builder add -q "$base" "$folder/base.tar" / > /dev/null
builder config --env PATH=/usr/local/bin:/usr/bin:/bin "$base"
builder commit -q "$base" localhost/base > /dev/null

# What is committed, so that nothing changes meanwhile. The packages were fetched by make.
mkdir "$folder/context"
revision=$(git rev-parse HEAD)
moment=$(git log -1 --format=%ct "$revision")
git archive "$revision" | tar -x -C "$folder/context"
printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$folder/pip.conf"
build() {
    builder build --quiet --no-cache --format docker --isolation chroot --timestamp "$moment" \
        --volume "$PWD/.wheels:/wheels:ro" --volume "$folder/pip.conf:/etc/pip.conf:ro" \
        --build-arg BASE=localhost/base --build-arg VERSION=proof --build-arg REVISION="$revision" --tag "localhost/partwise:$1" "$folder/context" > /dev/null
    builder inspect --type image --format '{{.Docker.RootFS.DiffIDs}}' "localhost/partwise:$1"
}
first=$(build first)
second=$(build second)
echo "layers of the first build:  $first"
echo "layers of the second build: $second"
test "$first" = "$second"

container=$(builder from localhost/partwise:first)
IMAGE=$(builder mount "$container")
export IMAGE
du -sm "$IMAGE" "$IMAGE/venv" "$IMAGE/srv" | sed "s|$IMAGE|/|; s|//|/|" | awk '{ print $2 ": " $1 " MiB" }'
unshare --mount --propagation private sh -eu -c '
    mount --bind "$IMAGE" "$IMAGE"
    mount -t tmpfs -o mode=1777,size=64m none "$IMAGE/tmp"
    mount -o remount,bind,ro "$IMAGE"
    exec chroot --userspec=10001:10001 "$IMAGE" /usr/bin/env -i -C /srv PATH=/venv/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 sh -eu -c "
        ! touch /srv/x /venv/x 2> /dev/null
        touch /tmp/x
        ! command -v pip gcc > /dev/null
        python -m app --version
        python -m app migrate --wait 0 2>&1 | grep \"DATABASE_URL is not set\"
        ! python -m app.cli.probe 2> /dev/null
        id
    "
'
echo "the image is the same twice, and runs"
