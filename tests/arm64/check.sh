#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh BUILD: what `make check-arm64` asks of kmidi and its tests once they are built for arm64
# in BUILD: that the kernels are NEON code (neon.txt), and that the tests pass under qemu, two
# halves at a time.
#
# What is not run is named in left-out.txt, each with its reason: emulated floating point is some
# hundred times slower than the processor's (0.1 GFLOP/s), and a limit that the emulator keeps for
# itself is not the program's.
set -eu
cd "$(dirname "$0")/../.."
BUILD=$1 HERE=tests/arm64
ROOT=$PWD/$BUILD/sysroot
started=$(date +%s)

# LEAST vector instructions INSTRUCTION of four floats or two doubles in the object file of each
# kernel.
neon=0
while read -r object instruction least; do
    case "$object" in '#'* | '') continue ;; esac
    n=$(aarch64-linux-gnu-objdump -d --no-show-raw-insn "$BUILD/release/$object.base.o" | grep -cE "[[:space:]]$instruction[[:space:]]+v[0-9]+\.(4s|2d)" || true)
    [ "$n" -ge "$least" ] || { echo "check-arm64: $object.c has $n $instruction of a vector, not $least: gcc took its loops apart" >&2; exit 1; }
    neon=$((neon + 1))
done <$HERE/neon.txt

# The program as tests run it, and the tests as they run themselves, by argv[0]; no handler of
# foreign binaries (binfmt) is needed.
wrap() { printf '#!/bin/sh\nexec qemu-aarch64-static -0 "$0" -L "%s" "%s" "$@"\n' "$ROOT" "$PWD/$BUILD/release/$1" >"$2" && chmod +x "$2"; }
wrap kmidi "$BUILD/kmidi"
wrap tests/all "$BUILD/tests"
set -f # a name may end in *
not=$(sed -n 's/^\([a-z0-9_A-Z*]*\) .*/-x \1/p' $HERE/left-out.txt)
half() { KMIDI="$PWD/$BUILD/kmidi" "$PWD/$BUILD/tests" $not -s "$1/2" >"$BUILD/half-$1.txt" 2>&1 || true; }
half 0 &
half 1
wait
grep -hE '^(FAIL|skip) ' "$BUILD/half-0.txt" "$BUILD/half-1.txt" || true
awk -v neon=$neon -v seconds=$(($(date +%s) - started)) -v out="$(echo "$not" | grep -c .)" '
    /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5; ends++ }
    END {
        if (ends != 2) { print "check-arm64: a half of the tests did not end:"; failed++ }
        printf "arm64 under qemu: %d passed, %d failed, %d skipped, %d left out (tests/arm64/left-out.txt), %d kernels with NEON, %d s\n",
            passed, failed, skipped, out, neon, seconds
        exit failed > 0
    }' "$BUILD/half-0.txt" "$BUILD/half-1.txt" || { tail -n 3 "$BUILD/half-0.txt" "$BUILD/half-1.txt" >&2; exit 1; }
