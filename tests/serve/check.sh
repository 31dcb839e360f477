#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh LIBRARIES CHECKPOINT [CHECKPOINT ...]: the libraries that `make lib` left in a folder show kmidi_* and no
# other name, and load no library of products; examples/listen.c is built against each with
# include/kmidi.h alone, and both say the same of what the first, a recogniser, hears; 100,000 calls
# of each are watched (tests/serve/watch/watch.c), and again under -fsanitize=realtime where there is
# a clang that has it (20 and later).
set -eu
lib=$1 model=$2 tmp=$(mktemp -d)
shift
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
for one in "$@"; do "$tmp/watch" "$one" 100000; done
for clang in clang $(seq -f clang-%.0f 30 -1 20); do
    version=$("$clang" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -1)
    [ "${version:-0}" -lt 20 ] || break
done
if [ "${version:-0}" -ge 20 ]; then
    make --no-print-directory CC="$clang" BUILD=build/realtime CONFIG=release CFLAGS=-fsanitize=realtime LDFLAGS=-fsanitize=realtime build/realtime/release/tests/serve/watch/watch
    watch=build/realtime/release/tests/serve/watch/watch
    ! "$watch" control 2>"$tmp/seen" && grep -q 'unsafe function `malloc' "$tmp/seen" || { echo "-fsanitize=realtime sees nothing"; exit 1; }
    for one in "$@"; do "$watch" "$one" 100000; done
else
    echo "no clang of 20 or later is here, which has -fsanitize=realtime; left out"
fi
