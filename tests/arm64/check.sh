#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh: kmidi for arm64 on another processor: built by Debian's cross compiler against the arm64 packages that deps.sh names, its
# kernels looked at for NEON, and its tests run under qemu. `make check-arm64` runs it; all it makes is in build/arm64.
#
# Debian 12 or later, where it installs what it needs. A second run makes only what changed. Emulated floating point is some hundred times
# slower than the processor's: slow.txt names the tests that are left out, each with its reason.
set -eu
cd "$(dirname "$0")/../.."
HERE=tests/arm64 OUT=build/arm64 TRIPLET=aarch64-linux-gnu
ROOT=$PWD/$OUT/sysroot
started=$(date +%s)
fail() { echo "check-arm64: $*" >&2; exit 1; }
case "$(uname -m)" in aarch64 | arm64) fail "this is arm64: make test" ;; esac
command -v apt-get >/dev/null || fail "needs Debian's packages: run it there, or in a container of debian:12"

./deps.sh gcc-$TRIPLET mmdebstrap qemu-user-static

# The libraries for arm64, unpacked and not installed: no script of a package runs, so what those would have made is made here: the links
# of update-alternatives. Links that begin at the root are turned to begin here.
packages=$(./deps.sh --list | tr -s ' ' '\n' | grep -e '-dev$')
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
want=$(echo "$suite" libc6-dev $packages)
if [ "$(cat "$ROOT/packages" 2>/dev/null)" != "$want" ]; then
    rm -rf "$ROOT" "$ROOT.new"
    mkdir -p "$OUT"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$(echo libc6-dev $packages | tr ' ' ',')" "$suite" "$ROOT.new" ||
        fail "the packages for arm64 cannot be unpacked"
    find "$ROOT.new" -type l -lname '/*' -path '*/lib/*' | while read -r link; do ln -snfr "$ROOT.new$(readlink "$link")" "$link"; done
    (
        cd "$ROOT.new/usr/lib/$TRIPLET"
        ln -s openblas-pthread/libopenblas.so openblas-pthread/libopenblas.so.0 .
        ln -s ../openblas-pthread/pkgconfig/openblas.pc hdf5-serial.pc pkgconfig
        mv pkgconfig/hdf5-serial.pc pkgconfig/hdf5.pc 2>/dev/null || true
    )
    echo "$want" >"$ROOT.new/packages"
    mv "$ROOT.new" "$ROOT"
fi
