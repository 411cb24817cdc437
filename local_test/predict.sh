#!/usr/bin/env bash
# Send a file to the endpoint that serve_local.sh started and print the answer.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: predict.sh PAYLOAD [CONTENT_TYPE]

  PAYLOAD        the file to send, byte for byte; "-" is standard input
  CONTENT_TYPE   default by the file's ending: .json, .jsonl, .csv; anything else is text/plain
  ENDPOINT_URL   (environment) where the endpoint is; default: http://localhost:8080
USAGE
}

fail() { printf 'predict.sh: %s\n' "$*" >&2; exit 1; }

case ${1:-} in
  -h | --help) usage; exit 0 ;;
esac
(($# == 1 || $# == 2)) || { usage >&2; exit 2; }
payload=$1
case $payload in
  *.json) content_type=application/json ;;
  *.jsonl) content_type=application/jsonlines ;;
  *.csv) content_type=text/csv ;;
  *) content_type=text/plain ;;
esac
content_type=${2:-$content_type}
url=${ENDPOINT_URL:-http://localhost:8080}/invocations
[[ $payload == - || -r $payload ]] || fail "there is no readable file $payload."
command -v curl >/dev/null || fail "curl is not installed."

status=0
curl --silent --show-error --fail-with-body --header "Content-Type: $content_type" --data-binary "@$payload" "$url" || status=$?
[[ ! -t 1 ]] || echo # the answer alone in a pipe or file; the prompt on a line of its own in a terminal
((status != 7)) || fail "nothing answers at $url; start the endpoint with serve_local.sh, or set ENDPOINT_URL."
exit "$status"
