#!/usr/bin/env bash
# Fetch the Tatoeba corpus (English-Spanish, 118,964 pairs) and unpack it to DIR/spa.tsv.
#
#   data/download.sh [DIR]        DIR is data/tatoeba beside this script unless given
#
#   SPA_ENG_ZIP=FILE              take this local copy of spa-eng.zip instead of downloading; it is only read
#   SPA_ENG_URL=URL               download from a mirror
#   SPA_ENG_SIZE, SPA_ENG_SHA256  size in bytes and checksum of another edition
#
# A download that was cut off is resumed by the next run. Source and licence: data/README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-$here/tatoeba}
url=${SPA_ENG_URL:-https://storage.googleapis.com/download.tensorflow.org/data/spa-eng.zip}
size=${SPA_ENG_SIZE:-2638744}
sha256=${SPA_ENG_SHA256:-0c4fd7825d3d872488d38c157f784e035edab4f2ff0df25a2a208790ecb5b58f}

corpus=$dir/spa.tsv
partial=$dir/spa-eng.zip.part
unfinished=$corpus.$$
trap 'rm -f -- "$unfinished"' EXIT

fail() {
    printf 'download.sh: %s\n' "$1" >&2
    exit 1
}

bytes_of() { wc -c <"$1" | tr -d ' '; }

sha256_of() {
    if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

# verify FILE ADVICE: FILE must be the archive we know, else say how it differs and what to do about it.
verify() {
    local found
    found=$(bytes_of "$1")
    [[ $found == "$size" ]] || fail "$1 has $found bytes, expected $size; $2"
    found=$(sha256_of "$1")
    [[ $found == "$sha256" ]] || fail "$1 has sha256 $found, expected $sha256; $2"
}

# Bring $partial up to the full size, continuing where an earlier run stopped.
download() {
    if [[ -e $partial && $(bytes_of "$partial") -ge $size ]]; then
        return 0
    fi
    printf 'Downloading %s\n' "$url"
    curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 \
        --continue-at - --output "$partial" "$url" ||
        fail "$url could not be downloaded (curl's reason is above); check the network and run again, what arrived is \
kept, or set SPA_ENG_ZIP to a copy of spa-eng.zip"
}

# unpack ZIP: write $corpus in one step, so that it is never there half.
unpack() {
    python3 - "$1" >"$unfinished" <<'PYTHON' || fail "$1 holds no readable spa-eng/spa.txt; fetch it again"
import shutil, sys, zipfile

try:
    with zipfile.ZipFile(sys.argv[1]) as archive, archive.open("spa-eng/spa.txt") as text:
        shutil.copyfileobj(text, sys.stdout.buffer)
except (KeyError, OSError, zipfile.BadZipFile):
    sys.exit(1)
PYTHON
    mv -- "$unfinished" "$corpus"
}

if [[ -s $corpus ]]; then
    printf '%s is already there\n' "$corpus"
    exit 0
fi
mkdir -p -- "$dir" || fail "the directory $dir cannot be created; name one that can: data/download.sh DIR"

if [[ -n ${SPA_ENG_ZIP:-} ]]; then
    [[ -f $SPA_ENG_ZIP ]] || fail "SPA_ENG_ZIP names $SPA_ENG_ZIP, which is no file; correct the path or unset it"
    verify "$SPA_ENG_ZIP" "point SPA_ENG_ZIP at another copy or unset it to download"
    unpack "$SPA_ENG_ZIP"
else
    download
    verify "$partial" "remove it and run again"
    unpack "$partial"
    rm -f -- "$partial"
fi
printf '%s: %s pairs\n' "$corpus" "$(wc -l <"$corpus" | tr -d ' ')"
