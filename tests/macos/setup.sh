#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# setup.sh BUILD: what `make check-macos` compiles with: zig's C compiler, which has the headers of
# macOS and the names of its system library (from pip, about 400 MB, once), and of this system's
# headers those of the libraries that kmidi uses, without its C library's.
set -eu
BUILD=$1
cd "$(dirname "$0")/../.."
mkdir -p "$BUILD"
[ -d "$BUILD/zig/ziglang" ] || python3 -m pip install -q --disable-pip-version-check --target "$BUILD/zig" ziglang || {
    echo "check-macos: needs python3 with pip, and from there the package ziglang: apt-get install python3-pip" >&2
    exit 1
}
H=$BUILD/include U=/usr/include M=/usr/include/$(gcc -print-multiarch)
rm -rf "$H"
mkdir -p "$H/openssl" "$H/hwloc/autogen"
for p in FLAC ogg sndfile.h smf.h soxr.h rubberband yaml.h protobuf-c hwloc.h jansson.h jansson_config.h fftw3.h pcre2.h zip.h zipconf.h oneapi csv.h espeak-ng microhttpd.h onnx; do
    ln -s "$U/$p" "$H"
done
ln -s "$U"/dnnl*.h "$M"/*123.h "$M/curl" "$M/openblas-pthread/cblas.h" "$U"/hdf5/serial/*.h "$H"
ln -s "$U"/openssl/*.h "$M"/openssl/*.h "$H/openssl"
ln -s "$U"/hwloc/*.h "$H/hwloc"
ln -s "$M/hwloc/autogen/config.h" "$H/hwloc/autogen"
# Of their settings, which are this system's, two are not those of macOS.
sed '/^#define OPENBLAS_OS_LINUX/d' "$M/openblas-pthread/openblas_config.h" >"$H/openblas_config.h"
echo '/* of the C library of Linux */' >"$H/features.h"
{
    echo "PKGC := -I$H $(pkg-config --cflags-only-I glib-2.0) -DKMIDI_LIBRARIES='\"/opt/homebrew/opt/openblas/lib\"'"
    echo "PKGL :="
} >"$BUILD/libs.mk"
