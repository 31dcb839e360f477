#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# sysroot.sh FOLDER: the libraries that deps.sh names, for arm64, unpacked in FOLDER; and the cross
# compiler, qemu and what unpacks them, installed where they are missing. For Debian 12 or later.
# Run again it does nothing, until the list of packages changes.
#
# Unpacked and not installed: no script of a package runs, so nothing needs emulation here, and what
# those scripts would have made is made below: the links of update-alternatives. Links that begin at
# the root are turned to begin in FOLDER.
set -eu
ROOT=$1 TRIPLET=aarch64-linux-gnu
fail() { echo "check-arm64: $*" >&2; exit 1; }
case "$(uname -m)" in aarch64 | arm64) fail "this is arm64: make test" ;; esac
command -v apt-get >/dev/null || fail "needs Debian's packages; run it in a container of debian:12"
"$(dirname "$0")/../../deps.sh" gcc-$TRIPLET libc6-dev-arm64-cross mmdebstrap qemu-user-static

packages=$("$(dirname "$0")/../../deps.sh" --list | tr ' ' '\n' | grep -e '-dev$')
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
want=$(echo "$suite" libc6-dev $packages)
[ "$(cat "$ROOT/packages" 2>/dev/null)" != "$want" ] || exit 0

echo "unpacking Debian's libraries for arm64 in $ROOT"
rm -rf "$ROOT" "$ROOT.new"
mkdir -p "$(dirname "$ROOT")"
mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$(echo libc6-dev $packages | tr ' ' ',')" "$suite" "$ROOT.new" ||
    fail "the packages for arm64 cannot be unpacked in $ROOT.new"
find "$ROOT.new" -type l -lname '/*' -path '*/lib/*' | while read -r link; do ln -snfr "$ROOT.new$(readlink "$link")" "$link"; done
lib=$ROOT.new/usr/lib/$TRIPLET
ln -s openblas-pthread/libopenblas.so openblas-pthread/libopenblas.so.0 "$lib"
ln -s ../openblas-pthread/pkgconfig/openblas.pc "$lib/pkgconfig"
ln -s hdf5-serial.pc "$lib/pkgconfig/hdf5.pc"
echo "$want" >"$ROOT.new/packages"
mv "$ROOT.new" "$ROOT"
