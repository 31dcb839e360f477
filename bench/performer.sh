#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# performer.sh: what the small transformer learns. Three questions, each answered for every seed:
#
#   base      how well does it foresee MAESTRO's validation pieces (the first 16 windows of 512 of each), and how long did it train?
#   adapter   does an adapter on EMOPIA make it foresee EMOPIA's validation clips better, and what does that cost on MAESTRO?
#   emotion   trained on EMOPIA whole: is the true emotion vector worth something beside the opposite one, and do pieces generated for joy
#             and for grief differ as their vectors do (velocity, notes a second, major less minor)?
#
#   bench/performer.sh [DIR]     DIR keeps shards, runs and pieces (default /tmp/performer); what is there already is not made again
#   MAESTRO=DIR EMOPIA=DIR       the datasets (default ../shared/data/maestro-v3.0.0, ../shared/data/emopia)
#   SEEDS="1 2 3"     ADAPTER_STEPS=200     EMOTION_STEPS=700     PIECES=24 of each emotion     SET="key=value ..." for the base
#
# docs/performer.md has the figures.
set -eu
cd "$(dirname "$0")/.."
DIR=${1:-/tmp/performer}
MAESTRO=${MAESTRO:-../shared/data/maestro-v3.0.0}
EMOPIA=$(cd "${EMOPIA:-../shared/data/emopia}" && pwd)
SEEDS=${SEEDS:-1 2 3}
ADAPTER_STEPS=${ADAPTER_STEPS:-200}
EMOTION_STEPS=${EMOTION_STEPS:-700}
PIECES=${PIECES:-24}

field() { grep -o "\"$1\": *[-0-9.e+]*" | sed -n 's/.*: *//p;q'; } # the first; behind it stands the baseline's
loss() { ./kmidi eval "$@" --json | field loss; }
row() { printf '%-8s %4s %12s %12s %12s %12s\n' "$@"; }

mkdir -p "$DIR"
# The same clips with the opposite of their emotions: Q1 and Q3 changed places, Q2 and Q4 too.
awk -F, -v dir="$EMOPIA" 'BEGIN {print "path,song_id,quadrant,valence,arousal,split"; split("3 4 1 2", other, " ")}
    $8 == "val" {printf "%s/%s,%s,Q%d,%d,%d,val\n", dir, $2, $3, other[substr($4, 2)], -$6, -$7}' "$EMOPIA/labels.csv" >"$DIR/opposite.csv"
./kmidi prepare configs/data/maestro.yaml -q --out "$DIR/maestro" "root=$MAESTRO" 'features=[tokens]'
./kmidi prepare configs/data/emopia.yaml -q --out "$DIR/emopia" "root=$EMOPIA" 'features=[tokens]'
./kmidi prepare configs/data/emopia.yaml -q --out "$DIR/opposite" "root=$DIR" index=opposite.csv 'features=[tokens]'

train() { # run config [key=value ...]
    run=$1; shift
    [ -e "$DIR/$run/DONE" ] || ./kmidi train "$@" -q --overwrite --run-dir "$DIR/$run" >"$DIR/$run.log"
}

# "velocity notes_per_second major_less_minor" of a piece
heard() {
    estimates=$(./kmidi inspect "$1" --json | sed 's/.*"estimates": //')
    for k in velocity notes_per_second major_less_minor; do echo "$estimates" | field $k; done | tr '\n' ' '
    echo
}

pieces() { # run emotion
    for i in $(seq "$PIECES"); do
        [ -s "$DIR/$1-$2-$i.mid" ] || ./kmidi generate "$DIR/$1/checkpoints/last.h5" -q --emotion "$2" --seconds 20 --seed "$i" -o "$DIR/$1-$2-$i.mid" >/dev/null
        heard "$DIR/$1-$2-$i.mid"
    done | awk '{for (i = 1; i <= 3; i++) s[i] += $i} END {printf "%.1f %.2f %.3f\n", s[1] / NR, s[2] / NR, s[3] / NR}'
}

row what seed "" "" "" ""
for seed in $SEEDS; do
    SHARDS=$DIR/maestro; export SHARDS
    # shellcheck disable=SC2086
    train "base-$seed" configs/emotion_midi_transformer_small.yaml "train.seed=$seed" ${SET:-}
    old="$DIR/base-$seed/checkpoints/last.h5"
    seconds=$(grep "\"train\"" "$DIR/base-$seed/metrics.jsonl" | tail -1 | field seconds)
    row base "$seed" "maestro" "$(loss "$old" -d "$DIR/maestro/val*-*.h5")" "seconds" "$seconds"

    SHARDS=$DIR/emopia
    train "adapter-$seed" configs/lora_transformer.yaml "train.seed=$seed" "lora.base=$old" lora.target_modules=all-linear optim.lr=1e-3 \
        "train.max_steps=$ADAPTER_STEPS" train.epochs=100 'data.augment.transpose=[-5, 6]'
    ./kmidi export "$DIR/adapter-$seed/checkpoints/last.h5" -q --overwrite --format adapter -o "$DIR/lora-$seed"
    for set in emopia maestro; do
        row adapter "$seed" "$set" "$(loss "$old" -d "$DIR/$set/val*-*.h5")" "with it" \
            "$(loss "$old" --adapter "$DIR/lora-$seed" -d "$DIR/$set/val*-*.h5")"
    done

    train "emotion-$seed" configs/emotion_midi_transformer_small.yaml "init_from=$old" "train.seed=$seed" "train.max_steps=$EMOTION_STEPS" \
        optim.lr=3e-3 train.epochs=100
    new="$DIR/emotion-$seed/checkpoints/last.h5"
    row emotion "$seed" "true" "$(loss "$new" -d "$DIR/emopia/val*-*.h5")" "opposite" "$(loss "$new" -d "$DIR/opposite/val*-*.h5")"
    for e in joy grief; do
        # shellcheck disable=SC2046
        row "$e" "$seed" $(pieces "emotion-$seed" "$e") ""
    done
done
