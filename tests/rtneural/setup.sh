#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# setup.sh FOLDER: RTNeural's sources in FOLDER, from its public git or from RTNEURAL_GIT, once. It
# says so and ends well where they cannot be had: the check is then skipped.
set -eu
from=${RTNEURAL_GIT:-https://github.com/jatinchowdhury18/RTNeural}
[ ! -e "$1/RTNeural/RTNeural.h" ] || exit 0
command -v git >/dev/null && command -v c++ >/dev/null || {
    echo "check-rtneural: skipped, needs git and a C++ compiler"
    exit 0
}
rm -rf "$1.new"
git clone -q --depth 1 "$from" "$1.new" || {
    echo "check-rtneural: skipped, $from cannot be cloned; RTNEURAL_GIT may name another copy"
    exit 0
}
rm -rf "$1"
mv "$1.new" "$1"
