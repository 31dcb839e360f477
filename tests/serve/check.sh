#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh LIBRARIES CHECKPOINT: the libraries that `make lib` left in a folder show kmidi_* and no
# other name, and load no library of products; examples/listen.c is built against each with
# include/kmidi.h alone, and both say the same; 100,000 calls of each are watched
# (tests/serve/watch/watch.c); where clang has it (20 and later), the sources of the calls pass
# -fsanitize=realtime.
set -eu
lib=$1 model=$2 tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}
private=$(sed -n 's/^Libs.private: //p' "$lib/kmidi.pc")
mkdir "$tmp/include"
cp include/kmidi.h "$tmp/include"
for names in "$(nm -D --defined-only "$lib/libkmidi.so")" "$(nm -g --defined-only "$lib/libkmidi.a" | grep ' T ')"; do
    others=$(printf '%s\n' "$names" | awk '$3 !~ /^kmidi_/ {print $3}')
    [ -z "$others" ] || { echo "it shows other names: $others"; exit 1; }
done
loaded=$(ldd "$lib/libkmidi.so" | grep -oE 'lib(dnnl|openblas|gomp)[^ ]*' | sort -u)
[ -z "$loaded" ] || { echo "it loads what multiplies nothing there:" $loaded; exit 1; }
$cc -std=c99 -Wall -Wextra -Werror -I"$tmp/include" examples/listen.c -o "$tmp/shared" -L"$lib" -lkmidi -Wl,-rpath,"$(cd "$lib" && pwd)"
$cc -std=c99 -Wall -Wextra -Werror -I"$tmp/include" examples/listen.c -o "$tmp/static" "$lib/libkmidi.a" $private
head -c 400000 /dev/zero | tr '\0' '\020' >"$tmp/samples"
"$tmp/shared" "$model" 48000 <"$tmp/samples" >"$tmp/a"
"$tmp/static" "$model" 48000 <"$tmp/samples" >"$tmp/b"
[ -s "$tmp/a" ] && cmp "$tmp/a" "$tmp/b"
$cc -std=gnu17 -D_GNU_SOURCE -I. tests/serve/watch/watch.c -o "$tmp/watch" -L"$lib" -lkmidi -Wl,-rpath,"$(cd "$lib" && pwd)" -pthread
"$tmp/watch" "$model" 100000
version=$(clang --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -1)
if [ "${version:-0}" -ge 20 ]; then
    make --no-print-directory CC=clang BUILD=build/realtime CONFIG=release CFLAGS=-fsanitize=realtime LDFLAGS=-fsanitize=realtime build/realtime/release/tests/serve/watch/watch
    build/realtime/release/tests/serve/watch/watch "$model" 100000
else
    echo "clang ${version:-is not here}: -fsanitize=realtime comes with 20; left out"
fi
