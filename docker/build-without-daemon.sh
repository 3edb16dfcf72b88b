#!/usr/bin/env bash
# Build the image with buildah, which needs no daemon, and convert a model in it as the image's own user.
#   docker/build-without-daemon.sh MODEL.onnx [BUILDAH OPTIONS]
# Options go to "buildah build", for example --build-arg EXTRAS=server,nir,telemetry or --layers.
# Where namespaces are forbidden (inside another container) set BUILDAH_ISOLATION=chroot and STORAGE_DRIVER=vfs.
set -euo pipefail
model=$(realpath "${1:?usage: build-without-daemon.sh MODEL.onnx [BUILDAH OPTIONS]}")
cd "$(dirname "$0")/.."
port=${ONNX2SNN_PORT:-8123}
folder=$(mktemp -d)
container=
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    [ -z "$container" ] || buildah rm "$container" > /dev/null
    rm -r "$folder"
}
trap tidy EXIT

# The health check is part of the docker format only.
buildah build --format docker --file docker/Dockerfile --tag onnx2snn "${@:2}" .
buildah images --format '{{.Name}}: {{.Size}}' localhost/onnx2snn

container=$(buildah from onnx2snn)
compilers=$(buildah run "$container" -- sh -c 'command -v gcc g++ cc c++ clang || true')
[ -z "$compilers" ] || { echo "a compiler is in the image: $compilers" >&2; exit 1; }
[ "$(buildah run "$container" -- id -u)" = 10001 ] || { echo "runs as root" >&2; exit 1; }
key=$(buildah run "$container" -- onnx2snn serve --new-key smoke | tail -1)
buildah run --network host --env "ONNX2SNN_PORT=$port" "$container" -- onnx2snn serve > "$folder/log" 2>&1 &
server=$!
docker/smoke.sh "$model" "http://127.0.0.1:$port" "$key" || { tail -20 "$folder/log" >&2; exit 1; }
