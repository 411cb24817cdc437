#!/usr/bin/env bash
# Prove that both locks resolve, hashes checked, on Python 3.11, 3.12 and 3.13, without installing anything.
# Usage: requirements/resolve.sh [LOCK ...]
set -euo pipefail
cd "$(dirname "$0")/.."
(($#)) || set -- requirements/runtime.txt requirements/test.txt
nowhere=$(mktemp -d)
trap 'rm -rf "$nowhere"' EXIT
for lock in "$@"; do
  for version in 3.11 3.12 3.13; do
    .venv/bin/python -m pip install --quiet --dry-run --ignore-installed --target "$nowhere" --no-deps \
      --only-binary=:all: --python-version "$version" --implementation cp \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
      --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --platform manylinux_2_5_x86_64 \
      --platform any --require-hashes -r "$lock"
    echo "$lock resolves on Python $version"
  done
done
