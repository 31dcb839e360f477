#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh KMIDI [EAR]: the page of `kmidi serve` in headless Chromium. EAR: a trained recogniser;
# without one a small one is trained for a minute on the synthetic corpus.
set -eu
K=$1 EAR=${2:-}
for c in chromium chromedriver python3; do
    command -v $c >/dev/null || { echo "check-serve: needs $c: apt-get install chromium chromium-driver python3" >&2; exit 1; }
done
D=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; rm -rf "$D"' EXIT
"$K" synth "$D/corpus" --items 60 --quiet
if [ -z "$EAR" ]; then
    "$K" prepare configs/data/audio_manifest.yaml --out "$D/shards" root="$D/corpus" --quiet
    "$K" train configs/emotion_recognizer.yaml --run-dir "$D/ear" "data.train=$D/shards/train-*.h5" "data.val=$D/shards/val-*.h5" train.epochs=2 --quiet
    EAR=$D/ear
fi
"$K" serve --listen 127.0.0.1:0 --json --quiet "$EAR" >"$D/said" &
pid=$!
while [ ! -s "$D/said" ]; do kill -0 $pid; sleep 0.1; done
url=$(sed 's/.*"url": *"\([^"]*\)".*/\1/' "$D/said")
python3 tests/serve/http/browser.py "$url" "$(ls "$D"/corpus/wav/*.wav | head -1)"
kill $pid
wait $pid
pid=
echo "check-serve: all is well"
