#!/usr/bin/env bash
# Build the image and push it to Amazon ECR. The last line of stdout is the image's digest URI and nothing
# else goes to stdout, so that this works:  image=$(./build_and_push.sh)
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: build_and_push.sh [--dry-run] [--framework NAME | --gpu] [--sbom FILE] [--help] [REPOSITORY]

Builds the image for linux/amd64, pushes it to Amazon ECR, and prints its digest URI, ready for a training
job, as the only line of stdout. What was pushed before is not built again: the answer is the same.

  REPOSITORY           name of the ECR repository; default: sagemaker-nmt. A missing one is created: scan on
                       push, immutable tags, images without a tag expire after a week
  --framework NAME     tensorflow, which is the default, or pytorch; the tag of the latter ends in -pytorch
  --gpu                the image with TensorFlow's CUDA libraries; its tag ends in -gpu
  --sbom FILE          write the pushed image's bill of materials (CycloneDX) to FILE as well
  --dry-run            make every check and say what would be done; create, build and push nothing. Prints the
                       digest URI if there is one already
  AWS_REGION           the region; else AWS_DEFAULT_REGION, else the region of the AWS profile
  ECR_REGISTRY         push the layers to this registry instead of <account>.dkr.ecr.<region>.amazonaws.com;
                       the repository is looked up and created by the ECR API all the same
  BASE_IMAGE           build on this instead of the Dockerfile's base, best by digest: NAME@sha256:...
  BUILD_DISK_GB        free disk space that a build asks for; default: 8, with --gpu 25
The tag is the git revision; with uncommitted changes, it ends in a checksum of what the image is built from,
with BASE_IMAGE in one of that name.
USAGE
}

say() { printf '%s\n' "$*" >&2; }
fail() { say "build_and_push.sh: $*"; exit 1; }

framework=tensorflow accelerator=cpu dry_run=no repository='' sbom=''

# Images that an endpoint or a job may still start from have a tag; what has none is left of a broken push.
lifecycle='{"rules": [{"rulePriority": 1, "description": "Expire images without a tag after a week",
  "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
  "action": {"type": "expire"}}]}'

# Everything the image is built from.
sources=(Dockerfile .dockerignore container train serve
  requirements/{runtime.txt,gpu.txt,pytorch.txt,torch.txt,sbom.py})

read_arguments() {
  while (($#)); do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --dry-run) dry_run=yes ;;
      --gpu) accelerator=gpu ;;
      --framework)
        [[ ${2:-} == tensorflow || ${2:-} == pytorch ]] || { usage >&2; fail "--framework is tensorflow or pytorch."; }
        framework=$2
        shift
        ;;
      --sbom)
        (($# > 1)) || { usage >&2; fail "--sbom needs a file."; }
        sbom=$2
        [[ $sbom == /* ]] || sbom=$PWD/$sbom
        shift
        ;;
      -*) usage >&2; fail "unknown option $1." ;;
      *)
        [[ -z $repository ]] || { usage >&2; fail "one repository at most, got $repository and $1."; }
        repository=$1
        ;;
    esac
    shift
  done
  [[ $framework == tensorflow || $accelerator == cpu ]] ||
    fail "there is no image with PyTorch for GPUs; drop --gpu, or --framework pytorch."
  repository=${repository:-sagemaker-nmt}
}

check_docker() {
  command -v docker >/dev/null || fail "docker is not installed; install Docker (https://docs.docker.com/get-docker/)."
  docker info >/dev/null 2>&1 ||
    fail "no Docker engine answers; start it, or let this user reach it (docker info says why)."
}

# Only where the engine's folder can be seen: not with Docker Desktop or a remote engine, whose disk is another's.
check_disk() {
  local folder wanted=${BUILD_DISK_GB:-8} free
  [[ $accelerator == cpu ]] || wanted=${BUILD_DISK_GB:-25}
  folder=$(docker info --format '{{.DockerRootDir}}')
  [[ -d $folder ]] || return 0
  free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1048576) }')
  ((free >= wanted)) ||
    fail "$folder has $free GB free, the build asks for $wanted; run docker system prune, or set BUILD_DISK_GB."
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

repository_exists() {
  local answer
  if answer=$(aws ecr describe-repositories --repository-names "$repository" 2>&1); then
    return 0
  fi
  [[ $answer == *RepositoryNotFoundException* ]] ||
    fail "ECR did not answer for repository $repository: ${answer##*$'\n'}"
  return 1
}

create_repository() {
  say "Creating the repository $repository"
  aws ecr create-repository --repository-name "$repository" --image-tag-mutability IMMUTABLE \
    --image-scanning-configuration scanOnPush=true >/dev/null ||
    fail "the repository $repository could not be created (reason above); the caller needs ecr:CreateRepository."
  aws ecr put-lifecycle-policy --repository-name "$repository" --lifecycle-policy-text "$lifecycle" >/dev/null ||
    say "The repository has no lifecycle rule (reason above): images without a tag stay until someone deletes them."
}

content_checksum() {
  find "${sources[@]}" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum | cut -d' ' -f1
}

find_tag() {
  local revision suffix=''
  [[ $framework == tensorflow ]] || suffix=-$framework
  [[ $accelerator == cpu ]] || suffix=-$accelerator
  [[ -z ${BASE_IMAGE:-} ]] || suffix+=-base-$(cksum <<<"$BASE_IMAGE" | cut -d' ' -f1)
  if ! revision=$(git rev-parse --short=12 HEAD 2>/dev/null); then
    printf 'content-%s%s' "$(content_checksum)" "$suffix"
  elif [[ -n $(git status --porcelain -- "${sources[@]}") ]]; then
    printf '%s-%s%s' "$revision" "$(content_checksum)" "$suffix"
  else
    printf '%s%s' "$revision" "$suffix"
  fi
}

login() { # REGISTRY
  aws ecr get-login-password | docker login --username AWS --password-stdin "$1" >&2 ||
    fail "the login to $1 failed (reason above)."
}

# The digest of an image in its registry; nothing where there is none. The first digest in the answer is the
# manifest's own, those of config and layers follow. The engine speaks plain HTTP with a registry on this
# machine by itself; this command, which the client answers, has to be told.
find_pushed() { # IMAGE
  local answer options=(--verbose)
  [[ $1 != localhost:* && $1 != 127.* ]] || options+=(--insecure)
  if answer=$(docker manifest inspect "${options[@]}" "$1" 2>&1); then
    sed -n 's/.*"digest": "\(sha256:[0-9a-f]*\)".*/\1/p' <<<"$answer" | head -n 1
  elif [[ $answer != *"no such manifest"* ]]; then
    fail "${1%%/*} did not say whether it has ${1#*/} already: ${answer##*$'\n'}"
  fi
}

# SageMaker takes a single manifest and refuses an index, which is what buildx makes as soon as
# attestations are added; the legacy builder makes none and knows no flag for it.
build() { # IMAGE
  local created options
  created=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null) || created=''
  options=(--platform linux/amd64 --build-arg "FRAMEWORK=$framework" --build-arg "ACCELERATOR=$accelerator"
    --build-arg "REVISION=${1##*:}" --build-arg "CREATED=$created" --tag "$1")
  [[ -z ${BASE_IMAGE:-} ]] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
  if docker buildx version >/dev/null 2>&1; then
    docker buildx build --load --provenance=false --sbom=false "${options[@]}" . >&2
  else
    docker build "${options[@]}" . >&2
  fi
}

push() { # IMAGE; prints the digest
  local output
  output=$(docker push "$1" | tee >(cat >&2)) || fail "the push to ${1%%/*} failed (reason above)."
  sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output" | tail -n 1
}

# Out of the image itself, so that it is right also where somebody else has built and pushed it.
write_sbom() { # URI
  local container
  container=$(docker create "$1" train) || fail "the bill of materials could not be read: $1 was not pulled."
  docker cp "$container:/opt/sbom.cdx.json" "$sbom" >&2 ||
    { docker rm "$container" >/dev/null; fail "the bill of materials could not be written to $sbom (reason above)."; }
  docker rm "$container" >/dev/null
  say "The bill of materials is in $sbom"
}

main() {
  local region arn partition account registry image digest=''
  read_arguments "$@"
  cd "$(dirname "${BASH_SOURCE[0]}")"

  check_docker
  command -v aws >/dev/null ||
    fail "the AWS CLI is not installed; install it (pip install awscli, or https://aws.amazon.com/cli/)."
  region=$(find_region)
  export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=''
  arn=$(find_caller)
  IFS=: read -r _ partition _ _ account _ <<<"$arn"
  registry=${ECR_REGISTRY:-$account.dkr.ecr.$region.$(registry_domain "$partition")}
  image=$registry/$repository:$(find_tag)

  if repository_exists; then
    login "$registry"
    digest=$(find_pushed "$image")
  elif [[ $dry_run == no ]]; then
    create_repository
    login "$registry"
  else
    say "Would create the repository $repository"
  fi
  if [[ -n $digest ]]; then
    say "$image was pushed before"
  else
    check_disk
    if [[ $dry_run == yes ]]; then
      say "Would build and push $image"
      return
    fi
    say "Building $image"
    build "$image" || fail "the image did not build (reason above)."
    digest=$(push "$image")
    [[ -n $digest ]] || fail "the push to $registry reported no digest."
  fi
  [[ -z $sbom || $dry_run == yes ]] || write_sbom "$registry/$repository@$digest"
  printf '%s\n' "$registry/$repository@$digest"
}

main "$@"
