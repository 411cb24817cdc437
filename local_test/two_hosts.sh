#!/usr/bin/env bash
# Run the image's training job on two hosts: two containers on a network of their own, as SageMaker names them.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: two_hosts.sh IMAGE [TEST_DIR]

  IMAGE      the image to train with, say sagemaker-nmt:latest
  TEST_DIR   a folder laid out as SageMaker lays out /opt/ml; default: local_test/test_dir.
             input/config and input/data are read; model, output and checkpoints are written, by both hosts
  THREADS    (environment) CPUs for each host; default: all that there are for both
Each line of the log begins with the name of its host, algo-1 or algo-2.
USAGE
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "two_hosts.sh: $*"; exit 1; }

hosts=(algo-1 algo-2)
run=nmt-two-hosts-$$ # the name of the network, and the label of the containers
scratch=''

# What root wrote goes back to the person who runs this; then everything that was started goes away.
# shellcheck disable=SC2329 # called by trap
clean_up() {
  local started
  started=$(docker ps --all --quiet --filter "label=local_test=$run")
  # shellcheck disable=SC2086 # one argument for each id
  [[ -z $started ]] || docker rm --force --volumes $started >/dev/null
  docker network rm "$run" >/dev/null 2>&1 || true
  docker run --rm --mount "type=bind,source=$test_dir,target=/test_dir" "$image" \
    chown -R "$(id -u):$(id -g)" /test_dir/model /test_dir/output /test_dir/checkpoints
  rm -rf "$scratch"
}

start() { # HOST
  local host=$1 others config=$scratch/$1
  mkdir "$config"
  cp "$test_dir"/input/config/*.json "$config"
  printf -v others '"%s", ' "${hosts[@]}"
  printf '{"current_host": "%s", "hosts": [%s], "network_interface_name": "eth0"}\n' "$host" "${others%, }" \
    >"$config/resourceconfig.json"
  docker run --detach --label "local_test=$run" --network "$run" --hostname "$host" --network-alias "$host" \
    ${THREADS:+--cpus "$THREADS"} \
    --mount "type=bind,source=$config,target=/opt/ml/input/config,readonly" \
    --mount "type=bind,source=$test_dir/input/data,target=/opt/ml/input/data,readonly" \
    --mount "type=bind,source=$test_dir/model,target=/opt/ml/model" \
    --mount "type=bind,source=$test_dir/output,target=/opt/ml/output" \
    --mount "type=bind,source=$test_dir/checkpoints,target=/opt/ml/checkpoints" \
    "$image" train
}

case ${1:-} in
  -h | --help) usage; exit 0 ;;
esac
(($# == 1 || $# == 2)) || { usage >&2; exit 2; }
image=$1
test_dir=${2:-$(dirname "${BASH_SOURCE[0]}")/test_dir}
[[ -d $test_dir/input ]] || fail "$test_dir holds no folder named input; see local_test/test_dir for the layout."
test_dir=$(cd "$test_dir" && pwd)
docker image inspect "$image" >/dev/null 2>&1 ||
  fail "there is no image $image here; build it: docker build -t $image ."

rm -rf "$test_dir/model" "$test_dir/output" "$test_dir/checkpoints"
mkdir -p "$test_dir/model" "$test_dir/output/data" "$test_dir/checkpoints"
scratch=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM
docker network create "$run" >/dev/null

containers=()
for host in "${hosts[@]}"; do
  container=$(start "$host")
  containers+=("$container")
  docker logs --follow "$container" 2>&1 | sed "s/^/$host: /" &
done

worst=0
for index in "${!hosts[@]}"; do
  status=$(docker wait "${containers[$index]}")
  say "${hosts[$index]} ended with exit code $status"
  ((status <= worst)) || worst=$status
done
wait
if ((worst == 0)); then
  say "The model is in $test_dir/model"
else
  say "Training failed; SageMaker would show as FailureReason:"
  cat "$test_dir/output/failure" >&2 || true
fi
exit "$worst"
