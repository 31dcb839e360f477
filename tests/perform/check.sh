#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh KMIDI [SECONDS]: `kmidi perform` headless for a minute, by the full models: frames a
# second, the slowest of a hundred, tokens a second. PLAYER and CLOUD name checkpoints; without them
# both are trained for a step or two, which costs a step as much. Where jackd is here, MIDI goes to
# its dummy driver, too. ARGS: more for the command. Fails where what was written is not whole; how
# fast it was is said, not judged: that is the machine's.
set -eu
kmidi=$1 seconds=${2:-60} tmp=$(mktemp -d) server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
player=${PLAYER:-} cloud=${CLOUD:-}
if [ -z "$player" ] || [ -z "$cloud" ]; then
    "$kmidi" synth "$tmp/songs" --items 24 --midi -q >/dev/null
fi
if [ -z "$player" ]; then
    "$kmidi" prepare configs/data/midi_emotion.yaml --out "$tmp/played" root="$tmp/songs" -q >/dev/null
    "$kmidi" train configs/emotion_midi_transformer.yaml --run-dir "$tmp/player" data.train="$tmp/played" data.val=[] data.window=64 train.batch_size=2 train.max_steps=2 -q >/dev/null
    player=$tmp/player
fi
if [ -z "$cloud" ]; then
    "$kmidi" prepare configs/data/emopia_rendered.yaml --out "$tmp/drawn" root="$tmp/songs" labels=[] -q >/dev/null
    "$kmidi" train configs/spectocloud_vit.yaml --run-dir "$tmp/cloud" data.train="$tmp/drawn" data.val="$tmp/drawn" train.batch_size=2 train.max_steps=2 -q >/dev/null
    cloud=$tmp/cloud
fi
port=""
if command -v jackd >/dev/null; then
    export JACK_DEFAULT_SERVER="kmidi-check-$$" JACK_NO_AUDIO_RESERVATION=1
    jackd -r -d dummy -r 48000 -p 256 >"$tmp/jackd" 2>&1 & server=$!
    for i in $(seq 40); do [ -S "/dev/shm/jack_${JACK_DEFAULT_SERVER}_0_0" ] && break; sleep 0.25; done
    sleep 0.5
    if kill -0 "$server" 2>/dev/null; then port="--port jack"; else echo "check.sh: jackd does not start; without a port" >&2; server=""; fi
fi
# shellcheck disable=SC2086
"$kmidi" perform --player "$player" --cloud "$cloud" --emotion joy --seconds "$seconds" --realtime \
    --frames /dev/null $port -o "$tmp/played.mid" --log "$tmp/performance.csv" ${ARGS:-} </dev/null | tee "$tmp/said"
rows=$(grep -c , "$tmp/performance.csv")
[ "$rows" -ge $((seconds * 3 / 4)) ] || { echo "check.sh: performance.csv has $rows rows" >&2; exit 1; }
"$kmidi" verify "$tmp/played.mid" >/dev/null
"$kmidi" inspect "$tmp/played.mid" --json | grep -q '"dropped": *0' || { echo "check.sh: notes without an end" >&2; exit 1; }
