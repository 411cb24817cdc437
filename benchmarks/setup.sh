#!/usr/bin/env bash
# Make .venv-bench: JoeyNMT on PyTorch for CPUs, which the benchmarks compare this trainer with. One minute, 1.5 GB.
# Does only what is missing, so a second call takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=benchmarks/requirements-joeynmt.txt
digest=$(sha256sum "$wanted" | cut -d' ' -f1)
stamp=.venv-bench/installed
[[ ! -f $stamp || $(<"$stamp") != "$digest" ]] || exit 0

printf 'setup: installing %s into .venv-bench\n' "$wanted" >&2
[[ -x .venv-bench/bin/python ]] || "${PYTHON:-python3}" -m venv .venv-bench
pip=(.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check)
# PyTorch first, from its index of CPU builds where that can be reached: the build on PyPI brings 4 GB for GPUs.
torch=$(grep '^torch==' "$wanted")
.venv-bench/bin/python -c 'import torch' 2>/dev/null ||
  "${pip[@]}" --index-url https://download.pytorch.org/whl/cpu "$torch" 2>/dev/null || "${pip[@]}" "$torch"
"${pip[@]}" -r "$wanted"
echo "$digest" >"$stamp"
