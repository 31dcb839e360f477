# SPDX-License-Identifier: GPL-3.0-or-later
# table_growth.sh: how the cost of a step grows with the batch, the length and the threads, and that
# of preparing with the items; against the ideal, in which twice as much takes twice as long (and
# twice the threads half as long).
: "${tmp:?this is a table of bench/run.sh}"
GROWTH=${GROWTH:-"emotion_recognizer transformer_small"}

step_row() { # what model batch length threads times
    for _ in $(seq "$ROUNDS"); do THREADS=$5 ours grow "$2" "$3" "$4"; done
    rate=$(figure grow steps_per_s); mb=$(figure grow peak_rss_mb)
    forget
    took=$(ratio 1000 "$rate")
    [ -n "${first:-}" ] || first=$took
    say "| $2 | $1 | $3 x $4, threads: $5 | $took ms | $(awk -v a="$first" -v k="$6" 'BEGIN {printf "%.2f", a * k}') ms | $(ratio "$took" "$(awk -v a="$first" -v k="$6" 'BEGIN {print a * k}')") | $(short "$mb") |"
}

prepare_row() { # items times
    rm -rf "$tmp/shards"
    measure ./kmidi prepare configs/data/synth.yaml --out "$tmp/shards" "synth.items=$1" --json || return 0
    took=$(field seconds <"$tmp/line")
    [ -n "${first:-}" ] || first=$took
    say "| prepare | items | $1 clips of audio | $(awk -v a="$took" 'BEGIN {printf "%.0f", 1000 * a}') ms | $(awk -v a="$first" -v k="$2" 'BEGIN {printf "%.0f", 1000 * a * k}') ms | $(ratio "$took" "$(awk -v a="$first" -v k="$2" 'BEGIN {print a * k}')") | - |"
}

heading "How cost grows"
say "Ours, fp32; time of a step (of a command for items) against the first row of its group times the growth: below 1 it grows more slowly than the work."
say ""
say "| what | grows | size | takes | ideal | ratio | peak MB |"
say "|---|---|---|---|---|---|---|"
for m in $GROWTH; do
    length=64
    [ "$m" = emotion_recognizer ] || length=128
    first=""
    for b in 1 2 4 8 16 32; do step_row batch "$m" $b $length "$THREADS" $b; done
    first=""
    for k in 1 2 4 8 16; do step_row length "$m" 4 $((k * 64)) "$THREADS" $k; done
    first=""
    step_row threads "$m" 16 $length 1 1
    step_row threads "$m" 16 $length 2 0.5
done
first=""
for k in 1 2 4 8; do prepare_row $((k * 200)) $k; done
