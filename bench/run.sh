#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh: speed and memory beside the peers, as ratios from the same minutes of the same machine.
# `make bench` runs it and keeps bench/RESULTS.md.
#
#   bench/run.sh [TABLE...]     models growth mel tokens generate inference startup runs ranks; without a name all of them. RESULTS.md keeps the tables that were not made.
#
#   PEERS=DIR       folder of Python environments: DIR/torch (PyTorch and most others), DIR/audio (torchaudio), DIR/noteseq; without it our figures stand alone
#   REFERENCE=DIR   folder of models.py, train_step.py, data_speed.py, noteseq_tokens.py (default ../shared/reference)
#   THREADS=2       of each side; where the host gives fewer cores than it shows, PyTorch's threads wait for each other and only THREADS=1 is fair
#   SECONDS_EACH=2  length of one measurement     ROUNDS=3  how often ours and the peers take turns     LIMIT=120  seconds after which one is given up
#   RANKED=PROGRAM  RANKS=2  PAIRS=5  what the table of ranks has: a kmidi made with MPI=1, in pairs of turns
#   MODELS="name:batch:length ..."  ADAPT="full lora" (or dora)  PRECISIONS="fp32 bf16x3 bf16"  COMPILE=1     what the table of models has; COMPILE=0 leaves torch.compile out, COMPILE=full measures it for whole models
#   WRAP=COMMAND    stands before every measurement: "taskset -c 0,1"
#
# About a quarter of an hour: SECONDS_EACH=1 ROUNDS=1 ADAPT=full PRECISIONS=fp32 bench/run.sh
set -eu
cd "$(dirname "$0")/.."
. bench/lib.sh
ALL="models growth mel tokens generate inference startup runs ranks"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -n "$python" ] || note "no PyTorch: set PEERS to a folder with its environment, and REFERENCE to its scripts; its columns show -"

# The part of RESULTS.md that belongs to a table: from its mark to the next.
section() { # table file
    [ ! -f "$2" ] || awk -v mark="<!-- $1 -->" '/^<!-- [a-z]+ -->$/ {in_it = $0 == mark} in_it' "$2"
}

for t in ${*:-$ALL}; do
    [ -f "bench/table_$t.sh" ] || { note "there is no table '$t'; there are: $ALL"; exit 2; }
done
for t in ${*:-$ALL}; do
    : >"$tmp/table"
    forget
    say "<!-- $t -->"
    (. "bench/table_$t.sh")
    say ""
    mv "$tmp/table" "$tmp/made.$t"
done
{
    echo "# Speed and memory"
    echo
    echo "Made by \`make bench\`: ours and the peers in turns, in the same minutes of the same machine. A figure that could not be had is \"-\". The last tables were made on:"
    echo
    ./kmidi info | sed 's/^/    /'
    [ -z "$python" ] || echo "    peer       PyTorch $("$python" -c 'import torch; print(torch.__version__)')"
    echo
    for t in $ALL; do
        if [ -f "$tmp/made.$t" ]; then cat "$tmp/made.$t"; else section "$t" bench/RESULTS.md; fi
    done
} >"$tmp/results"
cp "$tmp/results" bench/RESULTS.md
