#!/usr/bin/env bash
# Start an image as Amazon SageMaker starts it, for training and for inference, and print what passes.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: check_contract.sh [OPTION...] IMAGE

Checks any image that is made for SageMaker: mounts, encodings, clocks, signals, no network, read-only root.
Prints one line for each clause of the contract; exit code 0 when none failed, 1 when one did.

  --job FOLDER       a folder laid out as /opt/ml, of which input/config and input/data are read;
                     default: local_test/test_dir
  --long NAME=VALUE  the hyperparameter that makes the job outlast the check of SIGTERM; default: epochs=10000
  --model FOLDER     serve this model; default: the one that the training job of this check leaves
  --payload FILE     what to send to /invocations; default: local_test/payloads/instances.json
  --type TYPE        its content type; default: application/json
  --only AREA        image, train or serve; serve alone needs --model
USAGE
}

say() { printf '%s\n' "$*" >&2; }
refuse() { say "check_contract.sh: $*"; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
job=$here/test_dir long=epochs=10000 model='' payload=$here/payloads/instances.json content_type=application/json
only='' image='' failures=0 label=local_test=check-contract-$$ scratch='' container='' url=''

# ---- the table -----------------------------------------------------------------------------------------

row() { # RESULT AREA CLAUSE DETAIL
  printf '%-4s  %-5s  %-58s %s\n' "$@"
  [[ $1 != FAIL ]] || failures=$((failures + 1))
}

check() { # AREA CLAUSE DETAIL COMMAND...: a line that passes when the command does
  local area=$1 clause=$2 detail=$3
  shift 3
  if "$@"; then row pass "$area" "$clause" "$detail"; else row FAIL "$area" "$clause" "$detail"; fi
}

wanted() { [[ -z $only || $only == "$1" ]]; }

# shellcheck disable=SC2329 # called by trap
clean_up() {
  local started
  started=$(docker ps --all --quiet --filter "label=$label")
  # shellcheck disable=SC2086 # one argument for each id
  [[ -z $started ]] || docker rm --force --volumes $started >/dev/null
  [[ -n $scratch ]] || return 0
  # The job ran as root: only root may delete what it wrote.
  rm -rf "$scratch" 2>/dev/null ||
    docker run --rm --entrypoint /bin/sh --mount "type=bind,source=$scratch,target=/mine" "$image" -c 'rm -rf /mine/*'
  rm -rf "$scratch" || say "$scratch could not be deleted: delete it as root."
}

# ---- the image -----------------------------------------------------------------------------------------

check_image() {
  local platform size below
  platform=$(docker image inspect --format '{{.Os}}/{{.Architecture}}' "$image")
  check image "built for linux/amd64" "$platform" test "$platform" = linux/amd64
  size=$(($(docker image inspect --format '{{.Size}}' "$image") / 1000000))
  check image "at most 10 GB unpacked (serverless endpoints)" "$size MB" test "$size" -le 10000
  container=$(docker create --label "$label" "$image" train)
  # An image without the folder at all makes docker cp fail, which is as good as an empty one.
  below=$({ docker cp "$container:/opt/ml" - | tar -t; } 2>/dev/null | grep -vc '/$' || true)
  check image "nothing lies under /opt/ml, which SageMaker mounts over" "$below files" test "$below" -eq 0
}

# ---- training ------------------------------------------------------------------------------------------

new_job() { # NAME; prints the folder
  local folder=$scratch/$1
  mkdir -p "$folder/model" "$folder/output/data" "$folder/checkpoints"
  cp -R "$job/input" "$folder/input"
  printf '%s' "$folder"
}

set_hyperparameter() { # FOLDER NAME=VALUE
  python3 - "$1/input/config/hyperparameters.json" "$2" <<'PYTHON'
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
name, value = sys.argv[2].split("=", 1)
path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
PYTHON
}

# What the SDK's estimators send: each value as JSON (a string in quotes), and keys of their own.
encode_hyperparameters() { # FOLDER
  python3 - "$1/input/config/hyperparameters.json" <<'PYTHON'
import json, pathlib, sys

def encoded(text):
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return json.dumps(text)

path = pathlib.Path(sys.argv[1])
values = {name: encoded(value) for name, value in json.loads(path.read_text()).items()}
added = {"sagemaker_program": "train.py", "sagemaker_region": "us-east-1", "sagemaker_container_log_level": 20}
values |= {name: json.dumps(value) for name, value in added.items()}
values["_tuning_objective_metric"] = "validation:loss"  # a tuning job adds it bare
path.write_text(json.dumps(values))
PYTHON
}

start_job() { # FOLDER: as root, without network, with `train` as the command
  container=$(docker run --detach --label "$label" --network none --env TRAINING_JOB_NAME=check \
    --mount "type=bind,source=$1/input/config,target=/opt/ml/input/config,readonly" \
    --mount "type=bind,source=$1/input/data,target=/opt/ml/input/data,readonly" \
    --mount "type=bind,source=$1/model,target=/opt/ml/model" \
    --mount "type=bind,source=$1/output,target=/opt/ml/output" \
    --mount "type=bind,source=$1/checkpoints,target=/opt/ml/checkpoints" "$image" train)
}

running() { [[ $(docker inspect --format '{{.State.Running}}' "$container") == true ]]; }

end_of_log() { docker logs --tail 5 "$container" 2>&1 | sed 's/^/        | /'; }

exits_with_0() {
  [[ $(docker wait "$container") == 0 ]] || { end_of_log; return 1; }
}

holds_files() { [[ -n $(find "$1" -type f) ]]; }

exits_with_another() { [[ $(docker wait "$container") != 0 ]]; }

check_train() {
  local folder
  folder=$(new_job plain)
  start_job "$folder"
  SECONDS=0
  check train "\`train\` as root, no network: exit code 0" "" exits_with_0
  check train "the model is in /opt/ml/model" "" holds_files "$folder/model"
  check train "no /opt/ml/output/failure after success" "" test ! -s "$folder/output/failure"
  model=${model:-$folder/model}

  folder=$(new_job encoded)
  encode_hyperparameters "$folder"
  start_job "$folder"
  check train "hyperparameters as JSON, with the SDK's own keys" "" exits_with_0

  folder=$(new_job empty)
  rm -rf "${folder:?}"/input/data/*/*
  start_job "$folder"
  check train "empty channels: exit code not 0" "" exits_with_another
  check train "/opt/ml/output/failure says why" "$(head -c 60 "$folder/output/failure" 2>/dev/null | head -n 1)" \
    test -s "$folder/output/failure"
  check_train_sigterm
}

check_train_sigterm() {
  local folder status
  folder=$(new_job long)
  set_hyperparameter "$folder" "$long"
  start_job "$folder"
  SECONDS=0
  until [[ -n $(docker logs --tail 1 "$container" 2>&1) ]] || ((SECONDS > 60)) || ! running; do sleep 0.5; done
  if running; then sleep 10; fi # into the training itself
  if ! running; then
    status=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    row skip train "SIGTERM ends the job within 120 s" "it ended before with exit code $status: see --long"
    return
  fi
  SECONDS=0
  docker stop --time 120 "$container" >/dev/null
  status=$(docker inspect --format '{{.State.ExitCode}}' "$container")
  check train "SIGTERM ends the job within 120 s" "exit code $status after $SECONDS s" test "$status" -ne 137
  check train "the stopped job leaves a model" "" holds_files "$folder/model"
}

# ---- inference -----------------------------------------------------------------------------------------

start_endpoint() { # OPTION...
  container=$(docker run --detach --label "$label" --publish "127.0.0.1::8080" "$@" \
    --mount "type=bind,source=$model,target=/opt/ml/model,readonly" "$image" serve)
  url=http://$(docker port "$container" 8080/tcp | head -n 1)
}

# 8 minutes is what SageMaker grants, 2 seconds what one /ping may take.
pings() {
  SECONDS=0
  until curl --silent --fail --output /dev/null --max-time 2 "$url/ping"; do
    if ((SECONDS > 480)) || ! running; then
      end_of_log
      return 1
    fi
    sleep 0.2
  done
}

answer() { # CURL OPTION...; sets status
  status=$(curl --silent --max-time 60 --output "$scratch/answer" --write-out '%{http_code}' "$@") || true
}

check_serve() {
  local status
  start_endpoint
  check serve "\`serve\` with a read-only model: GET /ping is 200" "within 8 minutes" pings
  running || return 0
  answer --header "Content-Type: $content_type" --data-binary "@$payload" "$url/invocations"
  check serve "POST /invocations is 200 within 60 s" "$status" test "$status" = 200
  answer --header "Content-Type: $content_type" --data-binary '{"[' "$url/invocations"
  check serve "a damaged body is refused with 4xx" "$status" test "${status:0:1}" = 4
  answer "$url/no-such-route"
  check serve "an unknown route is 404" "$status" test "$status" = 404
  answer "$url/ping"
  check serve "GET /ping is 200 after all this" "$status" test "$status" = 200
  SECONDS=0
  docker stop --time 30 "$container" >/dev/null
  status=$(docker inspect --format '{{.State.ExitCode}}' "$container")
  check serve "SIGTERM ends it within 30 s with exit code 0" "exit code $status after $SECONDS s" test "$status" -eq 0
  start_endpoint --read-only --tmpfs /tmp --user "$((RANDOM + 10000)):10000" --cap-drop ALL \
    --security-opt no-new-privileges
  check serve "read-only root, any user id, no capabilities" "" pings
}

# ---- the way through -----------------------------------------------------------------------------------

read_arguments() {
  while (($#)); do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --job | --long | --model | --payload | --type | --only)
        (($# > 1)) || refuse "$1 needs a value."
        case $1 in
          --job) job=$2 ;;
          --long) long=$2 ;;
          --model) model=$2 ;;
          --payload) payload=$2 ;;
          --type) content_type=$2 ;;
          --only) only=$2 ;;
        esac
        shift
        ;;
      -*) usage >&2; refuse "unknown option $1." ;;
      *) [[ -z $image ]] || { usage >&2; refuse "one image at most."; }; image=$1 ;;
    esac
    shift
  done
  [[ -n $image ]] || { usage >&2; exit 2; }
  case $only in '' | image | train | serve) ;; *) refuse "--only takes image, train or serve, not $only." ;; esac
}

main() {
  read_arguments "$@"
  local tool
  for tool in docker curl python3; do
    command -v "$tool" >/dev/null || refuse "$tool is not installed."
  done
  docker image inspect "$image" >/dev/null 2>&1 || refuse "there is no image $image here; build or pull it."
  [[ -d $job/input/config && -d $job/input/data ]] || refuse "$job holds no input/config and input/data."
  [[ -z $model || -d $model ]] || refuse "there is no model directory $model."
  [[ -n $model || $only != serve ]] || refuse "--only serve needs --model."
  [[ -r $payload ]] || refuse "there is no readable file $payload."
  [[ -z $model ]] || model=$(cd "$model" && pwd)
  scratch=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT TERM

  if wanted image; then check_image; fi
  if wanted train; then check_train; fi
  if wanted serve; then check_serve; fi
  ((failures == 0)) || { say "$failures failed"; exit 1; }
}

main "$@"
