#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# speakers.sh: how well emotion is told in voices that were never heard: each speaker of EmoDB is
# held out in turn, the last weights are judged, and the mean and sample deviation over speakers of
# accuracy and mean recall (UAR) are told. One speaker of 35 utterances alone decides little.
#
#   bench/speakers.sh [CONFIG] [DIR]  CONFIG emotion_recognizer (default) or emotion_nodes_emodb, of configs/; DIR keeps shards and runs
#   EMODB=DIR                 manifest.jsonl and wav/ (default ../shared/data/emodb)
#   SEEDS="1"                 THREADS=1       SET="key=value ..." for the training      SPEAKERS="03 08 ..."
#   COPIES="key=value ..."    for the data
set -eu
cd "$(dirname "$0")/.."
CONFIG=${1:-emotion_recognizer}
DIR=${2:-/tmp/speakers}
EMODB=$(cd "${EMODB:-../shared/data/emodb}" && pwd)
DATA=emodb
[ "$CONFIG" = emotion_recognizer ] || DATA=emodb_nodes
SPEAKERS=${SPEAKERS:-$(sed -n 's/.*"speaker": "\([^"]*\)".*/\1/p' "$EMODB/manifest.jsonl" | sort -u)}

# "accuracy uar" of what `kmidi eval` says: of the base emotion where there are groups.
figures() {
    awk '/^accuracy /{a = $2} /^uar /{u = $2} /^base /{a = $3; u = $4} END {print a, u}'
}

mkdir -p "$DIR"
: >"$DIR/figures-$CONFIG"
for speaker in $SPEAKERS; do
    index=$DIR/held-$speaker.jsonl
    sed "s|\"path\": \"|\"path\": \"$EMODB/|; s/\"split\": \"[a-z]*\"/\"split\": \"train\"/; /\"speaker\": \"$speaker\"/s/\"split\": \"train\"/\"split\": \"valid\"/" \
        "$EMODB/manifest.jsonl" >"$index"
    # shellcheck disable=SC2086
    ./kmidi prepare "configs/data/$DATA.yaml" -q --out "$DIR/shards-$speaker" "root=$DIR" "index=$index" ${COPIES:-} >"$DIR/prepare.log"
    for seed in ${SEEDS:-1}; do
        run=$DIR/run-$CONFIG-$speaker-$seed-$$
        # shellcheck disable=SC2086
        SHARDS=$DIR/shards-$speaker ./kmidi train "configs/$CONFIG.yaml" -q --run-dir "$run" "train.seed=$seed" "train.threads=${THREADS:-1}" ${SET:-} >"$DIR/train.log"
        echo "$speaker $seed $(./kmidi eval "$run/checkpoints/last.h5" --data "$DIR/shards-$speaker/valid-*.h5" | figures)" | tee -a "$DIR/figures-$CONFIG"
    done
done
awk '{a[NR] = $3; u[NR] = $4; sa += $3; su += $4}
     END {for (i = 1; i <= NR; i++) {va += (a[i] - sa / NR) ^ 2; vu += (u[i] - su / NR) ^ 2}
          printf "accuracy %.4f (%.4f), uar %.4f (%.4f), over %d runs\n", sa / NR, sqrt(va / (NR - 1 + (NR == 1))), su / NR, sqrt(vu / (NR - 1 + (NR == 1))), NR}' "$DIR/figures-$CONFIG"
