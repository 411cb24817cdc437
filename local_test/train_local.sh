#!/usr/bin/env bash
# Run the image's training job on this machine, with the mounts that SageMaker makes.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: train_local.sh [--resume] IMAGE [TEST_DIR]

  IMAGE      the image to train with, say sagemaker-nmt:latest
  TEST_DIR   a folder laid out as SageMaker lays out /opt/ml; default: local_test/test_dir.
             input/config and input/data are read; model, output and checkpoints are written
  --resume   keep the checkpoints of the last run, so that the job goes on where that one ended
USAGE
}

fail() { printf 'train_local.sh: %s\n' "$*" >&2; exit 1; }

# SageMaker starts the container as root; what it wrote goes back to the person who runs this.
# shellcheck disable=SC2329 # called by trap
hand_back() {
  docker run --rm --mount "type=bind,source=$test_dir,target=/test_dir" "$image" \
    chown -R "$(id -u):$(id -g)" /test_dir/model /test_dir/output /test_dir/checkpoints
}

resume=no
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --resume) resume=yes; shift ;;
esac
(($# == 1 || $# == 2)) || { usage >&2; exit 2; }
image=$1
test_dir=${2:-$(dirname "${BASH_SOURCE[0]}")/test_dir}
[[ -d $test_dir/input ]] || fail "$test_dir holds no folder named input; see local_test/test_dir for the layout."
test_dir=$(cd "$test_dir" && pwd)
docker image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image here; build it: docker build -t $image ."

rm -rf "$test_dir/model" "$test_dir/output"
[[ $resume == yes ]] || rm -rf "$test_dir/checkpoints"
mkdir -p "$test_dir/model" "$test_dir/output/data" "$test_dir/checkpoints"
trap hand_back EXIT

terminal=()
[[ -t 0 && -t 1 ]] && terminal=(--interactive --tty) # a progress bar for a person, plain lines for a log
status=0
docker run --rm ${terminal[@]+"${terminal[@]}"} \
  --mount "type=bind,source=$test_dir/input/config,target=/opt/ml/input/config,readonly" \
  --mount "type=bind,source=$test_dir/input/data,target=/opt/ml/input/data,readonly" \
  --mount "type=bind,source=$test_dir/model,target=/opt/ml/model" \
  --mount "type=bind,source=$test_dir/output,target=/opt/ml/output" \
  --mount "type=bind,source=$test_dir/checkpoints,target=/opt/ml/checkpoints" \
  "$image" train || status=$?

if ((status == 0)); then
  printf 'The model is in %s\n' "$test_dir/model" >&2
else
  printf 'Training failed with exit code %s; SageMaker would show as FailureReason:\n' "$status" >&2
  cat "$test_dir/output/failure" >&2 || true
fi
exit "$status"
