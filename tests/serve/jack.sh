#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# jack.sh KMIDI LIBRARIES [SECONDS]: examples/jack.c for a minute under `jackd -d dummy` at 48 kHz,
# 64 frames, while a training run takes the machine. Fails where a request was refused or failed, or
# a call took longer of the processor than a period has. Xruns that JACK counts all the same are
# those of a machine on which others have the processor for that long; they are said.
set -eu
kmidi=$1 lib=$2 seconds=${3:-60} tmp=$(mktemp -d) server="" run=""
trap '[ -z "$run" ] || kill "$run" 2>/dev/null || true; [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
command -v jackd >/dev/null && [ -f /usr/include/jack/jack.h ] || { echo "jack.sh: needs jackd and its headers: apt install jackd2 libjack-jackd2-dev" >&2; exit 2; }
export JACK_DEFAULT_SERVER="kmidi-check-$$" JACK_NO_AUDIO_RESERVATION=1

"$kmidi" synth "$tmp/corpus" --items 60 -q >/dev/null
"$kmidi" synth "$tmp/songs" --items 40 --midi -q >/dev/null
"$kmidi" prepare configs/data/audio_manifest.yaml --out "$tmp/heard" root="$tmp/corpus" -q >/dev/null
"$kmidi" prepare configs/data/midi_emotion.yaml --out "$tmp/played" root="$tmp/songs" -q >/dev/null
"$kmidi" train configs/emotion_recognizer.yaml --run-dir "$tmp/ear" data.train="$tmp/heard" train.max_steps=30 -q >/dev/null
"$kmidi" train configs/melody_transformer.yaml --run-dir "$tmp/voice" data.train="$tmp/played" train.max_steps=30 -q >/dev/null
${CC:-cc} -std=gnu17 -O2 -Wall -Wextra -Werror -Iinclude examples/jack.c -o "$tmp/duet" -L"$lib" -lkmidi -ljack -lm -Wl,-rpath,"$(cd "$lib" && pwd)"

priority=-R
chrt -f 10 true 2>/dev/null || priority=-r
jackd "$priority" -d dummy -r 48000 -p 64 >"$tmp/jackd" 2>&1 & server=$!
for i in $(seq 40); do [ -S "/dev/shm/jack_${JACK_DEFAULT_SERVER}_0_0" ] && break; sleep 0.25; done
sleep 0.5
kill -0 "$server" 2>/dev/null || { echo "jack.sh: jackd does not start:" >&2; cat "$tmp/jackd" >&2; exit 2; }
"$kmidi" train configs/emotion_recognizer.yaml --run-dir "$tmp/load" data.train="$tmp/heard" train.epochs=1000000 train.max_steps=1000000 -q >/dev/null 2>&1 & run=$!
sleep 2
status=0
"$tmp/duet" "$tmp/ear" "$tmp/voice" "$seconds" >"$tmp/said" || status=$?
cat "$tmp/said"
kill -0 "$run" 2>/dev/null || { echo "jack.sh: the training run ended before the minute did" >&2; exit 1; }
exit "$status"
