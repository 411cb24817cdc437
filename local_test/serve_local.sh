#!/usr/bin/env bash
# Run the image's endpoint on this machine, with the model mounted read-only as SageMaker mounts it.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: serve_local.sh IMAGE [MODEL_DIR]

  IMAGE       the image to serve with, say sagemaker-nmt:latest
  MODEL_DIR   a model directory; default: local_test/test_dir/model, where train_local.sh leaves one
  PORT        (environment) the port on this machine; default: 8080
Serves until Ctrl-C, then stops and removes the container.
USAGE
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "serve_local.sh: $*"; exit 1; }

container='' logs=''
# shellcheck disable=SC2329 # called by trap
clean_up() {
  [[ -z $container ]] || docker stop "$container" >/dev/null 2>&1 || true
  [[ -z $logs ]] || wait "$logs" || true # the last lines, those of the shutdown, are worth reading
  [[ -z $container ]] || docker rm --force "$container" >/dev/null 2>&1 || true
}

case ${1:-} in
  -h | --help) usage; exit 0 ;;
esac
(($# == 1 || $# == 2)) || { usage >&2; exit 2; }
image=$1
model_dir=${2:-$(dirname "${BASH_SOURCE[0]}")/test_dir/model}
port=${PORT:-8080}
[[ -d $model_dir ]] || fail "there is no model directory $model_dir; train_local.sh makes one."
model_dir=$(cd "$model_dir" && pwd)
docker image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image here; build it: docker build -t $image ."
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  fail "port $port is taken; choose another: PORT=8081 $0 $image"
fi

trap clean_up EXIT
trap 'exit 0' INT TERM
container=$(docker run --detach --publish "127.0.0.1:$port:8080" \
  --mount "type=bind,source=$model_dir,target=/opt/ml/model,readonly" "$image" serve)
docker logs --follow "$container" & logs=$!

until curl --silent --fail --output /dev/null --max-time 2 "http://127.0.0.1:$port/ping"; do
  [[ $(docker inspect --format '{{.State.Running}}' "$container") == true ]] ||
    fail "the endpoint ended with exit code $(docker inspect --format '{{.State.ExitCode}}' "$container") before it was ready."
  sleep 0.2
done
say "Ready on http://localhost:$port"
[[ $port == 8080 ]] || say "  export ENDPOINT_URL=http://localhost:$port"
say "  $(dirname "$0")/predict.sh $(dirname "$0")/payloads/instances.json"
wait "$logs" && logs=''
fail "the endpoint ended with exit code $(docker inspect --format '{{.State.ExitCode}}' "$container")."
