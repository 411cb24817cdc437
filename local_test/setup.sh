#!/usr/bin/env bash
# Set up a fresh Debian or Ubuntu machine that has Python and make: what the system lacks, then .venv from a lock.
#   setup.sh runtime    to train and serve
#   setup.sh test       to run the tests too
#   setup.sh torch      .venv-torch: .venv with PyTorch on top, for the tests and benchmarks of it (0.8 GB, half a minute)
#   setup.sh sdk-v3     .venv-v3 with the SageMaker SDK v3, which cannot live beside v2 (1 GB, three minutes)
# Does only what is missing, so a second call takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?usage: setup.sh runtime|test|torch|sdk-v3}
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

command -v "$python" >/dev/null || die "there is no $python: install Python 3.11, 3.12 or 3.13."
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
  die "$("$python" --version) is not supported: install Python 3.11 to 3.13, or name one with PYTHON=python3.12."

# command or file that shows a package to be there : the Debian package
wanted=(nginx:nginx-light curl:curl)
if [[ $what == test ]]; then
  wanted+=(hunspell:hunspell /usr/share/hunspell/es_ES.dic:hunspell-es pgrep:procps)
  wanted+=(chromium:chromium chromedriver:chromium-driver faketime:faketime)
fi
"$python" -c 'import ensurepip' 2>/dev/null || wanted+=(/nonexistent:python3-venv)
missing=()
for pair in "${wanted[@]}"; do
  probe=${pair%%:*}
  [[ -e $probe || -x /usr/sbin/$probe ]] || command -v "$probe" >/dev/null || missing+=("${pair##*:}")
done
if ((${#missing[@]})); then
  command -v apt-get >/dev/null || die "please install ${missing[*]}: this machine has no apt-get to do it with."
  say "installing ${missing[*]}"
  root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" apt-get update -qq >/dev/null
  known=()
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); else say "there is no package $package here"; fi
  done
  # Policy 101: the nginx package must not start a server of its own on port 80.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -qq -y --no-install-recommends "${known[@]}" >/dev/null
fi

locks=("requirements/$what.txt") venv=.venv
case $what in
  torch) locks=(requirements/pytorch.txt requirements/torch.txt) venv=.venv-torch ;;
  sdk-v3) venv=.venv-v3 ;;
esac
digest=$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)
stamp=$venv/installed-$what
if [[ ! -f $stamp || $(<"$stamp") != "$digest" ]]; then
  say "installing the packages of ${locks[*]} into $venv (one to three minutes)"
  if [[ $what == torch ]]; then
    [[ -x .venv/bin/python ]] || die "there is no .venv to put PyTorch on top of: run $0 test first."
    [[ -x $venv/bin/python ]] || .venv/bin/python -m venv "$venv"
    # pip then finds what .venv has, and Python imports it.
    site='import sysconfig; print(sysconfig.get_path("purelib"))'
    .venv/bin/python -c "$site" >"$("$venv/bin/python" -c "$site")/venv.pth"
  fi
  [[ -x $venv/bin/python ]] || "$python" -m venv "$venv"
  for lock in "${locks[@]}"; do
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  done
  echo "$digest" >"$stamp"
fi
