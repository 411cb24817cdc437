#!/usr/bin/env bash
# Set up a fresh Debian or Ubuntu machine that has Python and make: what the system lacks, then .venv from a lock.
#   setup.sh runtime    to train and serve
#   setup.sh test       to run the tests too
#   setup.sh sdk-v3     .venv-v3 with the SageMaker SDK v3, which cannot live beside v2 (1 GB, three minutes)
# Does only what is missing, so a second call takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?usage: setup.sh runtime|test|sdk-v3}
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

lock=requirements/$what.txt
digest=$(sha256sum "$lock" | cut -d' ' -f1)
venv=.venv
[[ $what != sdk-v3 ]] || venv=.venv-v3
stamp=$venv/installed-$what
if [[ ! -f $stamp || $(<"$stamp") != "$digest" ]]; then
  say "installing the packages of $lock into $venv (one to three minutes)"
  [[ -x $venv/bin/python ]] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  echo "$digest" >"$stamp"
fi
