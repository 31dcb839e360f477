#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# notes.sh: how well the instrument recogniser tells notes of instruments that it never heard:
# trains one run a seed on notes in NSynth's layout and judges the last weights of each, group by
# group, on its validation notes and on real ones (docs/targets.md has the figures).
#
#   bench/notes.sh [DIR]      DIR keeps shards and runs (default /tmp/notes); what is there is not made again
#   NOTES=DIR REAL=DIR        train and valid; notes of other instruments (default ../shared/data/nsynth_rendered, nsynth_real)
#   SEEDS="1 2 3"             THREADS=1       SET="key=value ..." for the training
#   COPIES="key=value ..."    for the data; MEL="mel.key=value ..." for the notes that are judged, too
set -eu
cd "$(dirname "$0")/.."
DIR=${1:-/tmp/notes}
NOTES=${NOTES:-../shared/data/nsynth_rendered}
REAL=${REAL:-../shared/data/nsynth_real}
SEEDS=${SEEDS:-1 2 3}
COPIES=${COPIES:-augment.copies=24}
SET=${SET:-}

mkdir -p "$DIR"
# shellcheck disable=SC2086
./kmidi prepare configs/data/nsynth.yaml --out "$DIR/shards" "root=$NOTES" $COPIES ${MEL:-}
# shellcheck disable=SC2086
./kmidi prepare configs/data/nsynth.yaml --out "$DIR/real" "root=$REAL" ${MEL:-}

# "family 0.614, register 0.955, ..." of what `kmidi eval` says
groups() {
    awk '/^group /{inside = 1; next} /^$/{inside = 0} inside {printf "%s%s %.3f", n++ ? ", " : "", $1, $3}'
}

for seed in $SEEDS; do
    # shellcheck disable=SC2086
    SHARDS=$DIR/shards ./kmidi train configs/instrument_nsynth.yaml -q --run-dir "$DIR/run-$seed-$$" "train.seed=$seed" "train.threads=${THREADS:-1}" $SET >"$DIR/train-$seed.log"
    last=$DIR/run-$seed-$$/checkpoints/last.h5
    echo "seed $seed, valid: $(./kmidi eval "$last" --data "$DIR/shards/valid-*.h5" | groups)"
    echo "seed $seed, real: $(./kmidi eval "$last" --data "$DIR/real/test-*.h5" | groups)"
done
