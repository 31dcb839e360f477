#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh: speed and memory beside the peers, as ratios from the same minutes of the same machine. `make bench` runs it and keeps bench/RESULTS.md.
#
#   PEERS=DIR       folder of Python environments: DIR/torch (PyTorch), DIR/audio (torchaudio, librosa); without it our figures stand alone
#   REFERENCE=DIR   folder of models.py, train_step.py, data_speed.py (default ../shared/reference)
#   THREADS=2       of each side; where the host gives fewer cores than it shows, PyTorch's threads wait for each other and only THREADS=1 is fair
#   SECONDS_EACH=5  length of one measurement     ROUNDS=3  how often ours and the peers take turns     MODELS="name:batch:length ..."
set -eu
cd "$(dirname "$0")/.."
REFERENCE=${REFERENCE:-../shared/reference}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-3}
THREADS=${THREADS:-2}
MODELS=${MODELS:-"dynamics_engine:64:1 groove_predictor:64:1 harmony_predictor:64:1 emotion_recognizer:64:64 melody_transformer:64:64"}
python=""
audio=""
if [ -n "${PEERS:-}" ] && [ -f "$REFERENCE/train_step.py" ]; then
    [ ! -x "$PEERS/torch/bin/python" ] || python=$PEERS/torch/bin/python
    [ ! -x "$PEERS/audio/bin/python" ] || audio=$PEERS/audio/bin/python
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([-0-9.e+]*\).*/\1/p" | tail -1; }
median() { sort -g "$1" | awk '{v[NR] = $1} END {if (NR) print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else print "-"}'; }
larger() { printf '%s\n' "$@" | grep -v '^-$' | sort -g | tail -1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {if (b + 0 > 0) printf "%.2f", a / b; else printf "-"}'; }
say() { printf '%s\n' "$*" | tee -a "$tmp/out"; }
clear_files() { for f in "$@"; do : >"$tmp/$f"; done; }

measure_ours() { # model batch length
    ./kmidi bench "$1" --batch "$2" --length "$3" --threads "$THREADS" --seconds "$SECONDS_EACH" --json >"$tmp/line"
    for k in steps_per_s peak_rss_mb gflops gemm_peak_gflops; do field $k <"$tmp/line" >>"$tmp/$k"; done
}

measure_peer() { # model batch length file [flag]
    "$python" "$REFERENCE/train_step.py" "$1" --batch "$2" --length "$3" --threads "$THREADS" --seconds "$SECONDS_EACH" ${5:-} >"$tmp/line" 2>/dev/null || return 0
    field steps_per_s <"$tmp/line" >>"$tmp/$4"
    [ -n "${5:-}" ] || field peak_rss_mb <"$tmp/line" >>"$tmp/peer_mb"
}

row() { # model batch length
    clear_files steps_per_s peak_rss_mb gflops gemm_peak_gflops eager compiled peer_mb
    for _ in $(seq "$ROUNDS"); do
        measure_ours "$@"
        [ -n "$python" ] || continue
        measure_peer "$@" eager
        measure_peer "$@" compiled --compile
    done
    e=$(median "$tmp/eager"); c=$(median "$tmp/compiled"); best=$(larger "$e" "$c" || true)
    ours=$(median "$tmp/steps_per_s"); mb=$(median "$tmp/peak_rss_mb"); peer=$(median "$tmp/peer_mb")
    gf=$(median "$tmp/gflops"); peak=$(median "$tmp/gemm_peak_gflops")
    say "| $1 $2 x $3 | $ours | $e | $c | $(ratio "$ours" "${best:-0}") | $mb | $peer | $(ratio "$mb" "$peer") | $gf | $peak | $(ratio "$gf" "$peak") |"
}

say "# Speed and memory"
say ""
say "$(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo none), threads: $THREADS, fp32. Ours and the peers in turns, $ROUNDS rounds of $SECONDS_EACH s each; medians; ratios against the"
say "better of PyTorch eager and compiled. Made by \`make bench\`."
say ""
./kmidi info | sed 's/^/    /' | tee -a "$tmp/out"
[ -z "$python" ] || say "    peer              PyTorch $("$python" -c 'import torch; print(torch.__version__)')"
[ -n "$python" ] || say "
No PyTorch here: set PEERS to a folder with its environment and REFERENCE to its scripts."
say ""
say "## Training steps"
say ""
say "| model, batch x length | steps/s | PyTorch eager | compiled | ratio | peak MB | PyTorch MB | share | GFLOP/s | GEMM peak, measured | share |"
say "|---|---|---|---|---|---|---|---|---|---|---|"
for spec in $MODELS; do
    rest=${spec#*:}
    row "${spec%%:*}" "${rest%%:*}" "${rest#*:}"
done
say ""
say "## Mel spectrogram: 44.1 kHz, 2048/512, 128 bands, dB, ten minutes in memory, seconds of audio a second (librosa and torchaudio: two threads)"
say ""
clear_files ours librosa torchaudio
for _ in $(seq "$ROUNDS"); do
    ./kmidi bench mel --threads "$THREADS" --json | field audio_s_per_s >>"$tmp/ours"
    [ -n "$audio" ] || continue
    "$audio" "$REFERENCE/data_speed.py" mel >"$tmp/line" 2>/dev/null || continue
    grep librosa "$tmp/line" | field audio_s_per_s >>"$tmp/librosa"
    grep torchaudio "$tmp/line" | field audio_s_per_s >>"$tmp/torchaudio"
done
ours=$(median "$tmp/ours"); l=$(median "$tmp/librosa"); t=$(median "$tmp/torchaudio"); best=$(larger "$l" "$t" || true)
say "| kmidi | librosa | torchaudio | ratio to the better |"
say "|---|---|---|---|"
say "| $ours | $l | $t | $(ratio "$ours" "${best:-0}") |"
cp "$tmp/out" bench/RESULTS.md
