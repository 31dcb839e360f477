#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the libraries that kmidi is built with, and what is named behind, where they are missing:
# apt on Debian and Ubuntu, brew on macOS. --list prints what apt would be asked for. Without the
# right to install, prints the exact command and stops.
set -eu
APT="gcc make pkg-config libopenblas-pthread-dev libdnnl-dev libfftw3-dev libhdf5-dev libsndfile1-dev libflac-dev libogg-dev libmpg123-dev libsmf-dev libsoxr-dev librubberband-dev libyaml-dev
     libprotobuf-c-dev protobuf-c-compiler libonnx-dev libhwloc-dev libjansson-dev libssl-dev libcsv-dev libpcre2-dev libzip-dev libcurl4-openssl-dev libespeak-ng-dev libmicrohttpd-dev libjack-jackd2-dev libasound2-dev"
BREW="pkgconf openblas onednn fftw hdf5 libsndfile flac libogg mpg123 glib libsoxr rubberband libyaml protobuf-c onnx hwloc jansson openssl@3 libcsv pcre2 libzip curl espeak-ng libmicrohttpd jack"

if [ "${1:-}" = --list ]; then
    echo $APT
    exit 0
fi

if [ "$(uname -s)" = Darwin ]; then
    command -v brew >/dev/null || { echo "deps.sh: Homebrew is missing; install it, then run: brew install $BREW" >&2; exit 1; }
    missing=""
    for p in $BREW; do brew list --versions "$p" >/dev/null 2>&1 || missing="$missing $p"; done
    [ -z "$missing" ] || brew install $missing
    pkg-config --exists smf || {
        echo "deps.sh: Homebrew no longer has libsmf (MIDI files). Build it once, then make again:" >&2
        echo "    brew install automake && curl -LO https://downloads.sourceforge.net/project/libsmf/libsmf/1.3/libsmf-1.3.tar.gz" >&2
        echo "    tar xf libsmf-1.3.tar.gz && cd libsmf-1.3 && cp $(brew --prefix)/share/automake-*/config.* ." >&2
        echo "    ./configure --prefix=$(brew --prefix) && make install" >&2
        exit 1
    }
    exit 0
fi
if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: neither apt nor brew here; install the development packages of: $(echo $APT)" >&2
    exit 0
fi
missing=""
for p in $APT "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q "ok installed" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo"; else
    echo "deps.sh: these packages are missing and this user may not install them. Run this, then make again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq $missing >/dev/null
