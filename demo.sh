#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# demo.sh: the main job, end to end, on a corpus made on the spot: audio files -> shards -> training
# -> test -> ONNX -> prediction. `make demo` runs it. Everything goes to demo/ (or the folder
# given), which is made anew.
set -eu
cd "$(dirname "$0")"
D=${1:-demo}
ITEMS=${ITEMS:-800}
EPOCHS=${EPOCHS:-12}
started=$(date +%s)
step() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

[ ! -e "$D" ] || [ -f "$D/.kmidi-demo" ] || { echo "demo.sh: '$D' is there and is not an earlier demo; name another folder" >&2; exit 1; }
rm -rf "$D"
mkdir -p "$D"
touch "$D/.kmidi-demo"

step "1. Make a small labelled corpus: short synthetic pieces in four emotions, as wav files with a manifest"
show ./kmidi synth "$D/corpus" --items "$ITEMS"
step "2. Prepare: wav files to log-mel shards; players never cross from training to test"
show ./kmidi prepare configs/data/audio_manifest.yaml --out "$D/shards" root="$D/corpus"
step "3. Train the emotion recogniser"
show ./kmidi train configs/emotion_recognizer.yaml --run-dir "$D/run" "data.train=$D/shards/train-*.h5" "data.val=$D/shards/val-*.h5" \
    train.epochs="$EPOCHS"
step "4. Evaluate on items that training never saw"
show ./kmidi eval "$D/run" --data "$D/shards/test-*.h5"
step "5. Export: the network alone, and from the waveform on"
show ./kmidi export "$D/run" --format onnx -o "$D/emotion.onnx"
show ./kmidi export "$D/run" --format onnx --front-end -o "$D/emotion-from-waveform.onnx"
step "6. Predict a file of the test players"
file=$(sed -n 's/.*"path": *"\([^"]*\)".*"split": *"test".*/\1/p' "$D/corpus/manifest.jsonl" | head -1)
show ./kmidi predict "$D/run" "$D/corpus/$file"

step "Done in $(($(date +%s) - started)) s. (The corpus is synthetic: figures on it say that the chain works, not how well it knows music.)"
cat <<END
  $D/corpus/                        audio and manifest.jsonl
  $D/shards/                        what training reads; rejected.jsonl says which files could not be read
  $D/run/report.html                curves and confusion matrix; open it in a browser
  $D/run/checkpoints/best.h5        the model
  $D/emotion.onnx                   takes standardised log-mel frames
  $D/emotion-from-waveform.onnx     takes audio at 16 kHz
Your own audio: kmidi prepare configs/data/audio_manifest.yaml --out shards root=/my/audio
END
