#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh KMIDI LOAD [FOLDER]: what `kmidi serve` bears (make check-load). FOLDER holds run folders
# melody, harmony, groove, dynamics, emotion; without it small ones are trained for a moment. FOR=60:
# seconds of each load; RATE=100: sounds a second; HOSTILE=10000; PIECES=10000.
set -eu
K=$1 LOAD=$2 M=${3:-} FOR=${FOR:-60} RATE=${RATE:-100} HOSTILE=${HOSTILE:-10000} PIECES=${PIECES:-10000}
D=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; rm -rf "$D"' EXIT
"$K" synth "$D/corpus" --items 80 --quiet
if [ -z "$M" ]; then
    M=$D
    "$K" prepare configs/data/audio_manifest.yaml --out "$D/sound" root="$D/corpus" --quiet
    "$K" train configs/emotion_recognizer.yaml --run-dir "$M/emotion" "data.train=$D/sound/train-*.h5" "data.val=$D/sound/val-*.h5" train.epochs=2 --quiet
    "$K" prepare configs/data/synth.yaml --out "$D/midi" "features=[midi_stats,melody,harmony,groove,dynamics]" synth.seconds=15 synth.items=80 --quiet
    for m in melody:melody_transformer harmony:harmony_predictor groove:groove_predictor dynamics:dynamics_engine; do
        "$K" train "configs/${m#*:}.yaml" --run-dir "$M/${m%%:*}" "data.train=$D/midi/train-*.h5" "data.val=$D/midi/val-*.h5" train.epochs=2 --quiet
    done
fi
"$K" serve --listen 127.0.0.1:0 --json --quiet --queue 1000 "$M/melody" "$M/harmony" "$M/groove" "$M/dynamics" "$M/emotion" >"$D/said" 2>"$D/log" &
pid=$!
while [ ! -s "$D/said" ]; do kill -0 $pid; sleep 0.1; done
port=$(sed 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/' "$D/said")
echo '{"intent":{"emotional_intent":"a melancholic ballad about loss","technical":{"bars":8}}}' >"$D/piece.json"
wav=$(ls "$D"/corpus/wav/*.wav | head -1)
memory() { for p in $pid $(pgrep -P $pid); do sed -n "s/VmRSS:/  $p/p" /proc/$p/status 2>/dev/null || true; done; }

echo "health, 200 clients at once, each the next as soon as it has the last:"
"$LOAD" $port clients 200 "$FOR" 0 GET /health
echo "predict, 3 s of sound, 200 clients, $RATE a second together:"
"$LOAD" $port clients 200 "$FOR" "$RATE" POST /predict "$wav" audio/wav
echo "predict, as many as it can:"
"$LOAD" $port clients 8 "$FOR" 0 POST /predict "$wav" audio/wav
echo "the same by 200 clients:"
"$LOAD" $port clients 200 "$FOR" 0 POST /predict "$wav" audio/wav
echo "generate, 8 bars by the four models that make music, one after the other:"
"$LOAD" $port clients 1 "$FOR" 0 POST /generate "$D/piece.json"
echo "memory, then behind $PIECES generations:"
memory
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$LOAD" $port pieces $((PIECES / 10)) POST /generate "$D/piece.json"
    memory
done
echo "hostile:"
"$LOAD" $port hostile "$HOSTILE" 1
memory
kill $pid
wait $pid
pid=
cat "$D/log"
echo "check-load: it stands, and stopped with 0"
