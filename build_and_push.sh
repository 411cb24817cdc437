#!/usr/bin/env bash
# Build the image and push it to Amazon ECR. The last line of stdout is the image's digest URI and nothing
# else goes to stdout, so that this works:  image=$(./build_and_push.sh)
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: build_and_push.sh [--help] [REPOSITORY]

Builds the image for linux/amd64, creates the ECR repository when it is missing (scan on push), logs in,
pushes, and prints the image's digest URI, ready for a training job, as the only line of stdout.

  REPOSITORY           name of the ECR repository; default: sagemaker-nmt
  AWS_REGION           the region; else AWS_DEFAULT_REGION, else the region of the AWS profile
  ECR_REGISTRY         push the layers to this registry instead of <account>.dkr.ecr.<region>.amazonaws.com;
                       the repository is looked up and created by the ECR API all the same
The tag is the git revision; with uncommitted changes, it ends in a checksum of what the image is built from.
USAGE
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "build_and_push.sh: $*"; exit 1; }

# Everything the image is built from.
sources=(Dockerfile .dockerignore requirements/runtime.txt container train serve)

check_docker() {
  command -v docker >/dev/null || fail "docker is not installed; install Docker (https://docs.docker.com/get-docker/)."
  docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or let this user reach it (docker info says why)."
}

find_region() {
  local region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
  [[ -n $region ]] || region=$(aws configure get region) || true
  [[ -n $region ]] || fail "no AWS region is set; set AWS_REGION, or run: aws configure set region <region>."
  printf '%s' "$region"
}

# The caller's ARN (arn:aws:iam::123456789012:user/name) tells account and partition.
find_caller() {
  local arn
  arn=$(aws sts get-caller-identity --query Arn --output text) ||
    fail "AWS does not accept the credentials (reason above); run aws configure, or aws sso login."
  printf '%s' "$arn"
}

registry_domain() { # PARTITION
  case $1 in
    aws-cn) printf 'amazonaws.com.cn' ;;
    *) printf 'amazonaws.com' ;;
  esac
}

ensure_repository() { # REPOSITORY
  local answer
  if answer=$(aws ecr describe-repositories --repository-names "$1" 2>&1); then
    return
  fi
  [[ $answer == *RepositoryNotFoundException* ]] || fail "ECR did not answer for repository $1: ${answer##*$'\n'}"
  say "Creating the repository $1"
  aws ecr create-repository --repository-name "$1" --image-scanning-configuration scanOnPush=true >/dev/null ||
    fail "the repository $1 could not be created (reason above); the caller needs ecr:CreateRepository."
}

content_checksum() {
  find "${sources[@]}" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum | cut -d' ' -f1
}

find_tag() {
  local revision
  if ! revision=$(git rev-parse --short=12 HEAD 2>/dev/null); then
    printf 'content-%s' "$(content_checksum)"
  elif [[ -n $(git status --porcelain -- "${sources[@]}") ]]; then
    printf '%s-%s' "$revision" "$(content_checksum)"
  else
    printf '%s' "$revision"
  fi
}

# SageMaker takes a single manifest and refuses an index, which is what buildx makes as soon as
# attestations are added; the legacy builder makes none and knows no flag for it.
build() { # IMAGE
  if docker buildx version >/dev/null 2>&1; then
    docker buildx build --load --provenance=false --sbom=false --platform linux/amd64 --tag "$1" . >&2
  else
    docker build --platform linux/amd64 --tag "$1" . >&2
  fi
}

push() { # IMAGE; prints the digest
  local output
  output=$(docker push "$1" | tee >(cat >&2)) || fail "the push to ${1%%/*} failed (reason above)."
  sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output" | tail -n 1
}

main() {
  case ${1:-} in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; fail "unknown option $1." ;;
  esac
  (($# <= 1)) || { usage >&2; fail "one repository at most, got $#."; }
  local repository=${1:-sagemaker-nmt} region arn partition account registry image digest
  cd "$(dirname "${BASH_SOURCE[0]}")"

  check_docker
  command -v aws >/dev/null || fail "the AWS CLI is not installed; install it (pip install awscli, or https://aws.amazon.com/cli/)."
  region=$(find_region)
  export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=''
  arn=$(find_caller)
  IFS=: read -r _ partition _ _ account _ <<<"$arn"
  registry=${ECR_REGISTRY:-$account.dkr.ecr.$region.$(registry_domain "$partition")}
  image=$registry/$repository:$(find_tag)

  say "Building $image"
  build "$image" || fail "the image did not build (reason above)."
  ensure_repository "$repository"
  aws ecr get-login-password | docker login --username AWS --password-stdin "$registry" >&2 ||
    fail "the login to $registry failed (reason above)."
  digest=$(push "$image")
  [[ -n $digest ]] || fail "the push to $registry reported no digest."
  printf '%s\n' "$registry/$repository@$digest"
}

main "$@"
