#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# heard.sh: is a piece that was asked for in a quadrant heard as of it? For each seed trains the small
# player of EMOPIA twice from one start, with train.condition_dropout and without; generates pieces of
# each quadrant; and has two judges name them: the estimate of `kmidi inspect`, and the recognisers
# that bench/emopia.sh trained on the real clips alone, which hear the rendered sound.
#
#   bench/heard.sh [DIR]      DIR keeps shards, runs, pieces and sound (default /tmp/heard); what is there already is not made again
#   EMOPIA=DIR                midis/ and labels.csv (default ../shared/data/emopia)
#   JUDGES=DIR                where bench/emopia.sh kept its runs (default /tmp/emopia); without them the first judge alone
#   SEEDS="1 2"    BASE=3200 steps of the start    STEPS=600 more of each    PIECES=24 of each quadrant    GUIDANCE=1    SECONDS_EACH=20
#   BEST="1 8"                of so many pieces the nearest is kept (--best-of)
#   FEEL=0.9    AROUSAL=0.5   valence and arousal that are asked for, up or down    FIRST=1000 seed of the first piece
#   SET="key=value ..."       more for each training
#
# docs/emotion.md has the figures.
set -eu
cd "$(dirname "$0")/.."
DIR=${1:-/tmp/heard}
EMOPIA=$(cd "${EMOPIA:-../shared/data/emopia}" && pwd)
JUDGES=${JUDGES:-/tmp/emopia}
SOUNDFONT=${SOUNDFONT:-/usr/share/sounds/sf2/FluidR3_GM.sf2}
SEEDS=${SEEDS:-1 2}
FEEL=${FEEL:-0.9}
AROUSAL=${AROUSAL:-0.5}
CONFIG=configs/emotion_midi_transformer_emopia.yaml
SHARDS=$DIR/emopia; export SHARDS

field() { grep -o "\"$1\": *[-0-9.e+]*" | sed -n 's/.*: *//p;q'; }

train() { # run [key=value ...]
    run=$1; shift
    # shellcheck disable=SC2086
    [ -e "$DIR/$run/DONE" ] || ./kmidi train "$CONFIG" -q --run-dir "$DIR/$run" --resume auto --threads 1 "$@" ${SET:-} >"$DIR/$run.log"
}

pieces() { # run guidance best-of folder
    for q in "Q1 $FEEL,$AROUSAL" "Q2 -$FEEL,$AROUSAL" "Q3 -$FEEL,-$AROUSAL" "Q4 $FEEL,-$AROUSAL"; do
        mkdir -p "$4/${q% *}"
        [ -s "$4/${q% *}/p-${PIECES:-24}.mid" ] || ./kmidi generate "$DIR/$1/checkpoints/last.h5" -q --emotion="${q#* }" --guidance "$2" --best-of "$3" \
            --seconds "${SECONDS_EACH:-20}" --tempo 120 --max-note 8 --seed "${FIRST:-1000}" --count "${PIECES:-24}" -o "$4/${q% *}/p.mid" >/dev/null
    done
}

# "Q1 Q2 Q3 Q4 all" of a 4 x 4 confusion matrix in one line: the share of each row that is right.
shares() {
    awk '{for (i = 0; i < 4; i++) {n = 0; for (k = 1; k <= 4; k++) n += $(4 * i + k); h = $(5 * i + 1); hit += h; all += n; printf "%.2f ", n ? h / n : 0}
        printf "%.3f\n", hit / all}'
}

by_estimate() { # pieces
    for q in 1 2 3 4; do
        for f in "$1/Q$q"/*.mid; do
            ./kmidi inspect "$f" --json | grep -o '"valence": [-0-9.e]*, "arousal": [-0-9.e]*' | tr -d '",:a-z' |
                awk -v q="$q" '{print q, ($1 > 0 ? ($2 > 0 ? 1 : 4) : ($2 > 0 ? 2 : 3))}'
        done
    done | awk '{c[$1 * 4 + $2]++} END {for (i = 5; i <= 20; i++) printf "%d ", c[i]; print ""}' | shares
}

# Sound as bench/emopia.sh makes it of the real clips, and shards of it with the quadrant that was asked for.
sound() { # pieces
    for f in "$1"/Q*/*.mid; do
        out=${f%.mid}.flac
        [ -s "$out" ] || fluidsynth -ni -q -R 0 -C 0 -g 0.4 -r 16000 -o synth.dynamic-sample-loading=1 -T flac -O s16 -F "$out" "$SOUNDFONT" "$f" \
            </dev/null >/dev/null 2>&1
    done
    for f in "$1"/Q*/*.flac; do
        q=$(basename "$(dirname "$f")")
        printf '{"path": "%s/%s", "label": "%s", "split": "val"}\n' "$q" "$(basename "$f")" "$q"
    done >"$1/manifest.jsonl"
    ./kmidi prepare configs/data/emopia_audio.yaml -q --out "$1/shards" "root=$1" >/dev/null
}

by_recogniser() { # run-folder shards
    ./kmidi eval "$1/checkpoints/last.h5" --data "$2" --json | sed -n 's/.*"confusion": *\(\[\[.*\]\]\).*/\1/p' | tr -c '0-9\n' ' ' | shares
}

mkdir -p "$DIR"
./kmidi prepare configs/data/emopia.yaml -q --out "$SHARDS" "root=$EMOPIA" 'features=[tokens]' tokens.to_c=true emotion=measured
train base "train.max_steps=${BASE:-3200}" schedule.name=constant

printf '%-44s %5s %5s %5s %5s %6s\n' "heard as asked" Q1 Q2 Q3 Q4 all
for judge in "$JUDGES"/run-*; do # how well the judges know the real clips
    [ ! -e "$judge/DONE" ] || printf '%-44s %5s %5s %5s %5s %6s\n' "real clips, $(basename "$judge")" $(by_recogniser "$judge" "$JUDGES/shards/val-*.h5")
done
for seed in $SEEDS; do
    for p in 0 0.15; do
        train "drop-$p-$seed" "init_from=$DIR/base/checkpoints/last.h5" "train.condition_dropout=$p" "train.seed=$seed" "train.max_steps=${STEPS:-600}" \
            schedule.decay_ratio=0.8 schedule.warmup_steps=10 optim.lr=5e-3
        printf 'condition_dropout %s, seed %s: %s nats\n' "$p" "$seed" "$(./kmidi eval "$DIR/drop-$p-$seed/checkpoints/last.h5" --data "$SHARDS/val-*.h5" --json | field loss)"
    done
    for g in ${GUIDANCE:-1}; do
        for n in ${BEST:-1 8}; do
            at=$DIR/pieces/drop-0.15-$seed-$g-of-$n-at-$FEEL,$AROUSAL-from-${FIRST:-1000}
            said="seed $seed, guidance $g, of $n"
            pieces "drop-0.15-$seed" "$g" "$n" "$at"
            # shellcheck disable=SC2046
            printf '%-44s %5s %5s %5s %5s %6s\n' "$said, estimate" $(by_estimate "$at")
            for judge in "$JUDGES"/run-*; do
                [ -e "$judge/DONE" ] || continue
                sound "$at"
                # shellcheck disable=SC2046
                printf '%-44s %5s %5s %5s %5s %6s\n' "$said, $(basename "$judge")" $(by_recogniser "$judge" "$at/shards/val-*.h5")
            done
        done
    done
done
