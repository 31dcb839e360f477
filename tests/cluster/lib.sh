# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh: what the checks of clusters have in common. $kmidi is the program, $top a folder of
# temporary files.
begun=$SECONDS
chapter() { echo "$* ($((SECONDS - begun)) s)"; }
fail() { echo "FAIL: $*" >&2; tail -n 5 "$top"/*.out "$top"/work/*.out >&2 2>/dev/null || true; exit 1; }
# Of a run when it was over: what it saved last, not what was best.
weights() { [ -e "$1/DONE" ] || fail "$1 is not done"; "$kmidi" export "$1/checkpoints/last.h5" --format safetensors -o "$1.safetensors" --overwrite -q >/dev/null && sha256sum <"$1.safetensors"; }
