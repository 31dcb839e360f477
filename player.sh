#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# player.sh: a base model of piano performances from a downloaded MAESTRO, with its card, which says
# under which licence the data are: MAESTRO -> shards -> training -> test -> exports.
#
#   make player MAESTRO=/data/maestro-v3.0.0              ten minutes on two cores
#   make player MAESTRO=/data/maestro-v3.0.0 SIZE=full    overnight
#   ./player.sh MAESTRO [OUT [SIZE [KEY=VALUE ...]]]      OUT: player/; SIZE: small; keys of training
#
# The MIDI archive is enough. The same command goes on with a run that was stopped.
set -eu
[ $# -gt 0 ] || { sed -n '6,8s/^# *//p' "$0" >&2; exit 2; }
MAESTRO=$1 OUT=${2:-player} SIZE=${3:-small}
shift; [ $# -eq 0 ] || shift; [ $# -eq 0 ] || shift
HERE=$(dirname "$0")
KMIDI=${KMIDI:-$HERE/kmidi}
case $SIZE in
small) config=emotion_midi_transformer_quick ;;
full) config=emotion_midi_transformer_base ;;
*) echo "player.sh: SIZE is small or full, not '$SIZE'" >&2; exit 2 ;;
esac
step() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

mkdir -p "$OUT"
step "1. Prepare: MIDI to events, in MAESTRO's own splits"
show "$KMIDI" prepare "$HERE/configs/data/maestro.yaml" --out "$OUT/shards" "root=$MAESTRO" "features=[tokens]"
step "2. Train"
show "$KMIDI" train "$HERE/configs/$config.yaml" --run-dir "$OUT/runs/$SIZE" --resume auto "data.train=$OUT/shards/train-*.h5" \
    "data.val=$OUT/shards/validation-*.h5" "$@"
step "3. Measure on the test pieces"
show "$KMIDI" eval "$OUT/runs/$SIZE" --data "$OUT/shards/test-*.h5"
step "4. Export, with the card"
show "$KMIDI" export "$OUT/runs/$SIZE" --format safetensors -o "$OUT/$SIZE.safetensors" --card --overwrite
show "$KMIDI" export "$OUT/runs/$SIZE" --format onnx --with-past -o "$OUT/$SIZE.onnx" --card --overwrite
for licence in "$MAESTRO"/LICENSE*; do
    [ ! -f "$licence" ] || cp -f "$licence" "$OUT/"
done
step "5. Play"
show "$KMIDI" generate "$OUT/runs/$SIZE" --emotion joy --seconds 20 --max-note 8 -o "$OUT/$SIZE-joy.mid"
cat <<END

  $OUT/$SIZE.md              the card: data, their licence, figures, how to run it
  $OUT/$SIZE.safetensors     weights for PyTorch (python/kmidi_models.py)
  $OUT/$SIZE.onnx            a step behind a cache, for ONNX Runtime
  $OUT/runs/$SIZE            the run: report.html, checkpoints; lora.base=$OUT/runs/$SIZE adapts it
What is trained on MAESTRO is for what its licence allows: CC-BY-NC-SA-4.0, not commercial.
END
