# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh: what the checks of clusters have in common. $kmidi is the program, $top a folder of
# temporary files.
begun=$SECONDS
chapter() { echo "$* ($((SECONDS - begun)) s)"; }
fail() { echo "FAIL: $*" >&2; tail -n 5 "$top"/*.out "$top"/work/*.out >&2 2>/dev/null || true; exit 1; }
weights() { "$kmidi" export "$1" --format safetensors -o "$1.safetensors" -q >/dev/null && sha256sum <"$1.safetensors"; }
