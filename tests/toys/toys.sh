#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# toys.sh BUILD CONFIG COPY TOY...: what there is to add to the program is added with one file and
# one line. In COPY, a copy of the tree with the objects of BUILD/CONFIG, each toy of tests/toys/TOY
# is added as its `where` says (FILE DEF LINE), the program is linked anew, and the toy's check.sh
# runs there, which can build more of it. To add a toy: a folder with toy.c, where and check.sh.
set -eu
build=$1 config=$2 copy=$3
shift 3
toys=$PWD/tests/toys

# has COMMAND... -- TEXT...: it succeeds and says each text (a regular expression).
# fails COMMAND... -- TEXT...: it fails with exit status 1 or 2 and says each.
told() {
    local said status=0 most=$1 command=()
    shift
    while [ "$1" != -- ]; do command+=("$1"); shift; done
    shift
    said=$("${command[@]}" 2>&1) || status=$?
    for text; do
        grep -q -- "$text" <<<"$said" && continue
        echo "$toy: ${command[*]} does not say '$text' but: $said" >&2
        return 1
    done
    [ $((status > 0)) = "$most" ] && [ $status -le 2 ] && return
    echo "$toy: ${command[*]} leaves with $status: $said" >&2
    return 1
}
has() { told 0 "$@"; }
fails() { told 1 "$@"; }

# Sources, and what was made of them, with their times: only what changes is compiled again.
mkdir -p "$copy/build" "$copy/tests"
for room in $(sed -n 's/^ROOM.\([^,]*\),.*/\1/p' rooms.def); do
    mkdir -p "$copy/$room"
    cp -p "$room"/*.* "$copy/$room"
done
cp -pR Makefile rooms.def deps.sh configs include "$copy"
cp -p "$build/libs.mk" "$copy/build"
(cd "$build" && find "$config" \( -path "$config/tests" -o -name kmidi -o -name '*.a' \) -prune -o \
    -type f -print0 | tar --null -T - -cf -) | tar -C "$copy/build" -xpf -

for toy; do
    read -r file def line <"$toys/$toy/where"
    grep -q "^${line%%(*}(" "$def" ||
        { echo "$toy: no line of $def begins with ${line%%(*}(, as tests/toys/$toy/where has it" >&2; exit 1; }
    cp "$toys/$toy/toy.c" "$copy/$file"
    echo "$line" >>"$copy/$def"
    # One constructor more is nothing to who does not call it, and all networks include them: only
    # what holds a table of all ops is compiled again.
    if [ "$def" = autograd/ops/ops.def ]; then
        touch -r "$def" "$copy/$def"
        touch "$copy/autograd/ops.c" "$copy/autograd/cost.h"
    fi
done
cd "$copy"
# a build that runs this tells nothing of itself
build() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s SHIM= CONFIG="$config" "$@" >made 2>&1 && return
    cat made >&2
    return 1
}
build kmidi
for toy; do
    . "$toys/$toy/check.sh"
    echo "$toy: added"
done
