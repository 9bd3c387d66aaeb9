#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: exact versions, every wheel's hash, no index address.
set -eu
cd "$(dirname "$0")/.."
for kind in runtime dev; do
  group=$kind
  [ "$kind" = runtime ] && group=build
  "${UV:-uv}" pip compile pyproject.toml --group "$group" --extra cpu --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet "$@" \
    -o "requirements/$kind.txt"
done
"${UV:-uv}" pip compile requirements/clients.in --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet "$@" -o requirements/clients.txt
