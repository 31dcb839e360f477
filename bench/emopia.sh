#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# emopia.sh: how well the emotion recogniser tells the four quadrants of EMOPIA by ear. Renders the
# MIDI with a General MIDI piano, prepares, trains one run a seed, and judges the last weights of
# each on the official validation split (docs/emopia.md has the figures). Not one of the tests:
# rendering takes five minutes, training one a seed.
#
#   bench/emopia.sh [DIR]     DIR keeps audio, shards and runs (default /tmp/emopia); what is there already is not made again
#   EMOPIA=DIR                midis/ and labels.csv (default ../shared/data/emopia)
#   SOUNDFONT=FILE            default /usr/share/sounds/sf2/FluidR3_GM.sf2 (Debian: fluid-soundfont-gm); the command fluidsynth is needed too
#   SEEDS="1 2 3"             THREADS=1       SET="key=value ..." for the training, MEL="mel.key=value ..." for the frames
#
# Q1 is high valence and arousal, Q2 tense (low valence, high arousal), Q3 low in both, Q4 calm
# (high valence, low arousal).
set -eu
cd "$(dirname "$0")/.."
DIR=${1:-/tmp/emopia}
EMOPIA=${EMOPIA:-../shared/data/emopia}
SOUNDFONT=${SOUNDFONT:-/usr/share/sounds/sf2/FluidR3_GM.sf2}
SEEDS=${SEEDS:-1 2 3}

need() { [ -e "$1" ] || { echo "emopia.sh: '$1' is not there; set $2" >&2; exit 1; }; }
need "$EMOPIA/labels.csv" "EMOPIA to the dataset's folder"
need "$SOUNDFONT" "SOUNDFONT to a General MIDI sound font, or install fluid-soundfont-gm"
command -v fluidsynth >/dev/null || { echo "emopia.sh: no fluidsynth; install it" >&2; exit 1; }

# One MIDI file to 16 kHz FLAC (stereo; kmidi mixes it down), without reverb and chorus.
render() { # id
    out=$DIR/audio/$1.flac
    [ ! -s "$out" ] || return 0
    fluidsynth -ni -q -R 0 -C 0 -g 0.4 -r 16000 -o synth.dynamic-sample-loading=1 -T flac -O s16 -F "$out.part" "$SOUNDFONT" "$EMOPIA/midis/$1.mid" \
        </dev/null >"$DIR/fluidsynth.log" 2>&1 || { echo "emopia.sh: '$EMOPIA/midis/$1.mid' cannot be rendered; fluidsynth's words are in '$DIR/fluidsynth.log'" >&2; exit 1; }
    mv "$out.part" "$out"
}

# "items right arousal valence" of the confusion matrix in a line of `kmidi eval --json`; rows and
# columns Q1 to Q4.
judge() {
    sed -n 's/.*"confusion": *\(\[\[.*\]\]\).*/\1/p' | tr -c '0-9\n' ' ' | awk '{
        for (i = 0; i < 4; i++) for (k = 0; k < 4; k++) {
            c = $(i * 4 + k + 1); n += c
            if (i == k) hit += c
            if ((i < 2) == (k < 2)) arousal += c
            if ((i == 0 || i == 3) == (k == 0 || k == 3)) valence += c
        }
        printf "%d %.4f %.4f %.4f\n", n, hit / n, arousal / n, valence / n }'
}

mkdir -p "$DIR/audio"
# id,path,song_id,quadrant,label,valence,arousal,split; "extra" are clips that the official lists
# leave out
awk -F, 'NR > 1 && $8 != "extra" {printf "{\"path\": \"audio/%s.flac\", \"label\": \"%s\", \"valence\": %s, \"arousal\": %s, \"song\": \"%s\", \"split\": \"%s\"}\n", $1, $4, $6, $7, $3, $8}' \
    "$EMOPIA/labels.csv" >"$DIR/manifest.jsonl"
awk -F, 'NR > 1 && $8 != "extra" {print $1}' "$EMOPIA/labels.csv" | while read -r id; do render "$id"; done
# shellcheck disable=SC2086
./kmidi prepare configs/data/emopia_audio.yaml --out "$DIR/shards" "root=$DIR" ${MEL:-}

printf '%-6s %6s %10s %8s %8s\n' seed items quadrant arousal valence
: >"$DIR/figures"
for seed in $SEEDS; do
    # shellcheck disable=SC2086
    SHARDS=$DIR/shards ./kmidi train configs/emopia_recognizer.yaml -q --run-dir "$DIR/run-$seed-$$" "train.seed=$seed" "train.threads=${THREADS:-1}" ${SET:-} >"$DIR/train-$seed.log"
    figures=$(./kmidi eval "$DIR/run-$seed-$$/checkpoints/last.h5" --data "$DIR/shards/val-*.h5" --json | judge)
    echo "$figures" >>"$DIR/figures"
    # shellcheck disable=SC2086
    printf '%-6s %6s %10s %8s %8s\n' "$seed" $figures
done
awk '{n = $1; q += $2; a += $3; v += $4} END {printf "%-6s %6s %10.4f %8.4f %8.4f\n", "mean", n, q / NR, a / NR, v / NR}' "$DIR/figures"
