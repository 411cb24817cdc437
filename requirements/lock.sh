#!/usr/bin/env bash
# Resolve pyproject.toml into the locks: runtime.txt (the image, `make demo`), test.txt (all the rest), gpu.txt
# (the image with ACCELERATOR=gpu), pytorch.txt (the image with FRAMEWORK=pytorch, all but torch itself, which
# requirements/torch.txt pins) and sdk-v3.txt (SageMaker SDK v3, which cannot live beside v2).
# Universal but for gpu.txt, which is for the image alone: one file holds the hashes for every platform and
# Python 3.11 to 3.13. No index host is written.
# Usage: requirements/lock.sh            write all
#        requirements/lock.sh --prove    only show that what is locked resolves on each of the three Pythons, and on ARM
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS=true # as pip does: a company's own certificate authority is known to the system

resolve() {
  .venv/bin/uv pip compile pyproject.toml --generate-hashes --no-header --no-emit-index-url --quiet "$@"
}

if [[ ${1:-} == --prove ]]; then
  for version in 3.11 3.12 3.13; do
    resolve --extra train --extra tensorflow --extra serve --constraint requirements/runtime.txt \
      --python-version "$version" --python-platform x86_64-manylinux_2_28 --only-binary :all: >/dev/null
    echo "requirements/runtime.txt resolves on Python $version"
    resolve --extra train --extra tensorflow --extra serve --extra aws --extra test --constraint requirements/test.txt \
      --python-version "$version" --python-platform x86_64-manylinux_2_28 --only-binary :all: >/dev/null
    echo "requirements/test.txt resolves on Python $version"
    resolve --extra train --extra pytorch --extra serve --constraint requirements/pytorch.txt \
      --python-version "$version" --python-platform x86_64-manylinux_2_28 --only-binary :all: >/dev/null
    echo "requirements/pytorch.txt resolves on Python $version"
  done
  # The image as it is built on Apple Silicon, without emulation.
  resolve --extra train --extra tensorflow --extra serve --constraint requirements/runtime.txt \
    --python-version 3.11 --python-platform aarch64-manylinux_2_28 --only-binary :all: >/dev/null
  echo "requirements/runtime.txt resolves on ARM"
else
  # The larger set first, then the smaller one within it: the two never disagree on a version.
  everywhere=(--universal --python-version 3.11)
  resolve "${everywhere[@]}" --extra train --extra tensorflow --extra serve --extra aws --extra test --output-file requirements/test.txt
  resolve "${everywhere[@]}" --extra train --extra tensorflow --extra serve --constraint requirements/test.txt \
    --output-file requirements/runtime.txt
  # The GPU image: both TensorFlows would write into one folder, so the one for the CPU is left out.
  resolve --python-version 3.11 --python-platform x86_64-manylinux_2_28 --extra train --extra tensorflow --extra serve --extra gpu \
    --constraint requirements/runtime.txt --no-emit-package tensorflow-cpu --output-file requirements/gpu.txt
  # The build of torch for CPUs needs fewer packages than PyPI's: uv looks into the wheel that pip fetches.
  wheels=$(mktemp --directory)
  trap 'rm -r "$wheels"' EXIT
  .venv/bin/python -m pip download --quiet --no-deps --require-hashes --dest "$wheels" -r requirements/torch.txt
  resolve "${everywhere[@]}" --extra train --extra pytorch --extra serve --constraint requirements/test.txt \
    --constraint - --find-links "$wheels" --no-emit-package torch --output-file requirements/pytorch.txt \
    < <(grep -o '^torch==[^ ]*' requirements/torch.txt)
  resolve "${everywhere[@]}" --extra sdk-v3 --output-file requirements/sdk-v3.txt
fi
