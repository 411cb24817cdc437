#!/usr/bin/env bash
# Translate a file as SageMaker Batch Transform does: SplitType=Line, AssembleWith=Line, one request at a time.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: transform_local.sh [--single-record] IMAGE INPUT [MODEL_DIR]

  IMAGE              the image to serve with, say sagemaker-nmt:latest
  INPUT              a text, JSON lines or CSV file; the answer goes to INPUT.out, as SageMaker names it
  MODEL_DIR          a model directory; default: local_test/test_dir/model, where train_local.sh leaves one
  --single-record    one line a request (BatchStrategy=SingleRecord); else as many as fit (MultiRecord)
  CONTENT_TYPE       (environment) default by the file's ending: .jsonl, .csv; anything else is text/plain
  MAX_PAYLOAD_BYTES  (environment) the most a request holds; default: 6291456, SageMaker's 6 MB
One request that fails fails the whole file, as with SageMaker.
USAGE
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "transform_local.sh: $*"; exit 1; }

container='' scratch=''
# shellcheck disable=SC2329 # called by trap
clean_up() {
  [[ -z $container ]] || docker rm --force --volumes "$container" >/dev/null
  [[ -z $scratch ]] || rm -rf "$scratch"
}

# Whole lines, in order, as many to a file as the payload takes; the files sort by their names.
split_lines() { # INPUT FOLDER
  LC_ALL=C awk -v limit="$max_payload" -v single="$single" -v folder="$2" '
    length($0) + 1 > limit { print NR > (folder "/too-long"); exit }
    { if (name == "" || single == "yes" || size + length($0) + 1 > limit) {
        if (name != "") close(name)
        name = sprintf("%s/%08d.in", folder, ++number); size = 0
      }
      size += length($0) + 1; print > name }' "$1"
  [[ ! -e $2/too-long ]] || fail "line $(<"$2/too-long") of $1 is longer than the payload of $max_payload bytes."
}

wait_until_ready() { # URL
  until curl --silent --fail --output /dev/null --max-time 2 "$1/ping"; do
    if [[ $(docker inspect --format '{{.State.Running}}' "$container") != true ]]; then
      docker logs "$container" >&2
      fail "the endpoint ended with exit code $(docker inspect --format '{{.State.ExitCode}}' "$container")."
    fi
    sleep 0.2
  done
}

single=no
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --single-record) single=yes; shift ;;
esac
(($# == 2 || $# == 3)) || { usage >&2; exit 2; }
image=$1 input=$2
model_dir=${3:-$(dirname "${BASH_SOURCE[0]}")/test_dir/model}
max_payload=${MAX_PAYLOAD_BYTES:-6291456}
[[ -r $input && -f $input ]] || fail "there is no readable file $input."
[[ -d $model_dir ]] || fail "there is no model directory $model_dir; train_local.sh makes one."
model_dir=$(cd "$model_dir" && pwd)
command -v curl >/dev/null || fail "curl is not installed."
docker image inspect "$image" >/dev/null 2>&1 ||
  fail "there is no image $image here; build it: docker build -t $image ."
case $input in
  *.jsonl) content_type=application/jsonlines ;;
  *.csv) content_type=text/csv ;;
  *) content_type=text/plain ;;
esac
content_type=${CONTENT_TYPE:-$content_type}
strategy=MULTI_RECORD
[[ $single == no ]] || strategy=SINGLE_RECORD

trap clean_up EXIT
trap 'exit 130' INT TERM
scratch=$(mktemp -d)
split_lines "$input" "$scratch"
# Docker chooses a free port.
container=$(docker run --detach --label local_test=transform --publish 127.0.0.1::8080 --env SAGEMAKER_BATCH=true \
  --env "SAGEMAKER_BATCH_STRATEGY=$strategy" --env SAGEMAKER_MAX_CONCURRENT_TRANSFORMS=1 \
  --mount "type=bind,source=$model_dir,target=/opt/ml/model,readonly" "$image" serve)
url=http://$(docker port "$container" 8080/tcp | head -n 1)
wait_until_ready "$url"

requests=0
: >"$scratch/joined"
for batch in "$scratch"/*.in; do
  [[ -e $batch ]] || break # an empty file has no line to send
  status=$(curl --silent --show-error --max-time 600 --output "$scratch/answer" --write-out '%{http_code}' \
    --header "Content-Type: $content_type" --data-binary "@$batch" "$url/invocations")
  if [[ $status != 200 ]]; then
    cat "$scratch/answer" >&2
    echo >&2
    fail "request $((requests + 1)) was answered with status $status, so there is no $input.out."
  fi
  # Assembling by line puts a line end after each answer that lacks one.
  cat "$scratch/answer" >>"$scratch/joined"
  [[ -z $(tail -c 1 "$scratch/answer") ]] || echo >>"$scratch/joined"
  requests=$((requests + 1))
done
mv "$scratch/joined" "$input.out"
say "$requests requests; the answers are in $input.out"
