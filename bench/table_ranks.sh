# SPDX-License-Identifier: GPL-3.0-or-later
# table_ranks.sh: one run in several processes (RANKED: a kmidi made with MPI=1): RANKS ranks of one
# thread against one process of RANKS threads, in turns; and the sum of 25 million gradients against
# what this memory can move.
: "${tmp:?this is a table of bench/run.sh}"
RANKED=${RANKED:-build/mpi/release/kmidi}
RANKS=${RANKS:-2}
PAIRS=${PAIRS:-5}
started="mpirun -n $RANKS"
! mpirun --version 2>/dev/null | grep -q 'Open MPI' ||
    started="mpirun --quiet --allow-run-as-root --oversubscribe --bind-to none -n $RANKS"

steps() { # prefix threads [starter...]
    key=$1 threads=$2; shift 2
    measure "$@" "$RANKED" bench emotion_midi_transformer --sizes "$SMALL" --batch 8 --length 512 --threads "$threads" --seconds "$SECONDS_EACH" --json || return 0
    keep "$key" steps_per_s
}

heading "Ranks"
if [ ! -x "$RANKED" ] || ! command -v mpirun >/dev/null; then
    say "not made: there is no '$RANKED' (make MPI=1), or no mpirun"
else
    for _ in $(seq "$PAIRS"); do
        rm -f "$tmp"/m.one.steps_per_s "$tmp"/m.two.steps_per_s
        steps one "$RANKS"
        steps two 1 $started
        ratio "$(figure two steps_per_s)" "$(figure one steps_per_s)" >>"$tmp/m.pair.ratio"
        echo >>"$tmp/m.pair.ratio"
        cat "$tmp/m.one.steps_per_s" >>"$tmp/all.one"; cat "$tmp/m.two.steps_per_s" >>"$tmp/all.two"
        measure $started "$RANKED" bench sum --length 25000000 --seconds "$SECONDS_EACH" --json && keep sum seconds traffic_bytes_per_s
        measure "$RANKED" doctor --json && sed -n 's/.*"check": "bandwidth".*"bytes_per_s": \([0-9.e+]*\).*/\1/p' "$tmp/line" >>"$tmp/m.memory.bytes"
    done
    say "The small transformer, 8 x 512: medians of $PAIRS pairs in turns. The sum: bytes read and written"
    say "by all ranks, against the bandwidth that \`kmidi doctor\` measures in the same minute."
    say ""
    say "| steps/s, 1 x $RANKS threads | $RANKS ranks x 1 | ratio, median of pairs | sum of 25,000,000, ms | GB/s | memory, GB/s | ratio |"
    say "|---|---|---|---|---|---|---|"
    moved=$(figure sum traffic_bytes_per_s) memory=$(figure memory bytes)
    say "| $(short "$(median all.one)") | $(short "$(median all.two)") | $(figure pair ratio) | $(ratio "$(figure sum seconds)" 0.001) | $(ratio "$moved" 1e9) | $(ratio "$memory" 1e9) | $(ratio "$moved" "$memory") |"
fi
