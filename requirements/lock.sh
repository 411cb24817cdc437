#!/usr/bin/env bash
# Resolve pyproject.toml into the two locks: runtime.txt (the image, `make demo`) and test.txt (all the rest).
# Universal: one file holds the hashes for every platform and Python 3.11 to 3.13. No index host is written.
set -euo pipefail
cd "$(dirname "$0")/.."
resolver=$(mktemp -d)
trap 'rm -rf "$resolver"' EXIT
python3 -m venv "$resolver"
"$resolver/bin/pip" install --quiet 'uv>=0.9'
compile() {
  "$resolver/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --quiet "$@"
}
# The larger set first, then the smaller one within it: the two never disagree on a version.
compile --extra train --extra serve --extra aws --extra test --output-file requirements/test.txt
compile --extra train --extra serve --constraint requirements/test.txt --output-file requirements/runtime.txt
