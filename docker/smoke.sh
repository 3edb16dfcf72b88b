#!/usr/bin/env bash
# Convert a model through a running service and check the result.
#   docker/smoke.sh MODEL.onnx [URL] [KEY]
set -euo pipefail
model=${1:?usage: smoke.sh MODEL.onnx [URL] [KEY]}
url=${2:-http://127.0.0.1:8000}
authorization=(-H "Authorization: Bearer ${3:-none}")
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

for _ in $(seq 120); do
    curl -fsS "$url/healthz" > "$folder/health" 2> "$folder/error" && break
    sleep 1
done
curl -fsS "$url/readyz" > "$folder/ready"
code=$(curl -sS -o "$folder/network.snn.onnx" -w '%{http_code}' "${authorization[@]}" \
    -F "model=@$model" "$url/v1/convert")
if [ "$code" != 200 ]; then
    cat "$folder/network.snn.onnx" >&2
    exit 1
fi
digest=$(sha256sum "$folder/network.snn.onnx" | cut -d ' ' -f 1)
curl -fsS "${authorization[@]}" "$url/v1/snns/$digest" > "$folder/summary"
echo "ok: $(wc -c < "$folder/network.snn.onnx") bytes, sha256 $digest"
