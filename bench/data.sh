#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# data.sh: the speed of kmidi prepare beside MidiTok's, in turns in the same minutes of the same
# machine; writes bench/DATA.md.
#
#     PEERS=DIR bench/data.sh FOLDER      FOLDER holds lakh/, maestro-v3.0.0/ and emopia/; DIR/torch/bin/python has MidiTok and symusic
#
#   REFERENCE=DIR   folder of data_speed.py (default ../shared/reference)     ROUNDS=3   how often ours and the peer take turns
#   JOBS=2          worker processes of ours; MidiTok has one                 WORK=DIR   folder for the files (default: a new one, removed)
#
# MIDI: from files to shards of tokens and midi_stats, the whole command: list, read, parse, split,
# write, sync. A small set would be over in milliseconds, so its files are linked under new names
# until there are COPIES of each; MidiTok reads at most 60 of a set, one after the other, and writes
# nothing. Audio: an hour of 16-bit noise at 44.1 kHz as 60 wav files, to mel of 2,048 samples, hop
# 512, 128 bands, at its own rate and resampled to 16 and 22.05 kHz. CPU seconds are those of all
# processes: with both cores free, JOBS times the files a CPU second.
set -eu
cd "$(dirname "$0")/.."
folder=${1:?the folder of the datasets}
reference=${REFERENCE:-../shared/reference} rounds=${ROUNDS:-3} jobs=${JOBS:-2} python=${PEERS:+$PEERS/torch/bin/python}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
trap 'rm -rf "$work/midi" "$work/audio" "$work/out" "$work"/*.txt; rmdir "$work" 2>/dev/null || :' EXIT

field() { sed -n "s/.*\"$1\": *\([0-9.e+]*\).*/\1/p" "$2" | tail -1; }
median() { sort -g "$1" | awk '{v[NR] = $1} END {print NR ? v[int((NR + 1) / 2)] : 0}'; }
say() { printf '%s\n' "$*" | tee -a "$work/out.txt"; }

# Seconds and CPU seconds of one kmidi prepare, a line each.
prepare() { # config key=value...
    rm -rf "$work/out"
    ( ./kmidi prepare "$@" --out "$work/out" --jobs "$jobs" --quiet --json >"$work/line.txt"; times >"$work/cpu.txt")
    field seconds "$work/line.txt" >>"$work/seconds.txt"
    tail -1 "$work/cpu.txt" | sed 's/[ms]/ /g' | awk '{print 60 * $1 + $2 + 60 * $3 + $4}' >>"$work/cpus.txt"
}

lay_out() { # dataset copies
    rm -rf "$work/midi" && mkdir -p "$work/midi/lmd_full/0"
    find "$folder/$1" -name '*.mid' -o -name '*.midi' | sort >"$work/files.txt"
    i=0
    while read -r f; do
        i=$((i + 1)) && cp "$f" "$work/midi/lmd_full/0/$i.mid"
    done <"$work/files.txt"
    i=1
    while [ $i -lt "$2" ]; do
        cp -al "$work/midi/lmd_full/0" "$work/midi/lmd_full/$i" && i=$((i + 1))
    done
}

measure_midi() { # dataset copies target
    lay_out "$1" "$2"
    : >"$work/seconds.txt" && : >"$work/cpus.txt" && : >"$work/peer.txt"
    count=$(find "$work/midi" -name '*.mid' | wc -l)
    for _ in $(seq "$rounds"); do
        prepare configs/data/lakh.yaml "features=[tokens, midi_stats]" root="$work/midi"
        [ -z "$python" ] || find "$work/midi/lmd_full/0" -name '*.mid' | sort | awk -v n="$(wc -l <"$work/files.txt")" 'NR % int(n / 60 + 1) == 0' |
            xargs "$python" "$reference/data_speed.py" midi >"$work/line.txt"
        [ -z "$python" ] || field files_per_s "$work/line.txt" >>"$work/peer.txt"
    done
    echo "$1 $count $(median "$work/seconds.txt") $(median "$work/cpus.txt") $(median "$work/peer.txt") $3 $jobs" | awk '{
        ours = $2 / $3; printf "| %s, %d files | %.0f | %s | %s | %s | %.0f |\n", $1, $2, ours, $5 ? $5 : "-", $5 ? sprintf("%.1f", ours / $5) : "-", $6, $7 * $2 / $4}' >"$work/row.txt"
    say "$(cat "$work/row.txt")"
}

make_audio() {
    mkdir -p "$work/audio"
    i=0
    while [ $i -lt 60 ]; do # RIFF of 60 s, 1 channel, 44,100 Hz, 16 bits
        { printf 'RIFF\244\277\120\0WAVEfmt \20\0\0\0\1\0\1\0\104\254\0\0\210\130\1\0\2\0\20\0data\200\277\120\0' && head -c 5292000 /dev/urandom; } >"$work/audio/$i.wav"
        echo "{\"path\": \"$i.wav\"}" && i=$((i + 1))
    done >"$work/audio/manifest.jsonl"
}

measure_audio() { # rate target
    : >"$work/seconds.txt" && : >"$work/cpus.txt"
    for _ in $(seq "$rounds"); do
        prepare configs/data/audio_manifest.yaml root="$work/audio" mel.sample_rate="$1" mel.n_fft=2048 mel.hop_length=512
    done
    echo "$1 $(median "$work/seconds.txt") $(median "$work/cpus.txt") $2 $jobs" |
        awk '{printf "| %d Hz | %.0f | %d | %.0f |\n", $1, 3600 / $2, $4, $5 * 3600 / $3}' >"$work/row.txt"
    say "$(cat "$work/row.txt")"
}

: >"$work/out.txt"
say "# Speed of preparing data"
say ""
say "$(date -u +%F), $(./kmidi info | sed -n 's/^processor  *//p'), $(./kmidi info | sed -n 's/^cores  *//p'), $jobs jobs; medians of $rounds rounds in turns. Made by \`bench/data.sh\`,"
say "which says how. The last column is what the CPU time allows with every core free, where others share the machine."
say ""
say "| MIDI to tokens and midi_stats | files/s | MidiTok, files/s | ratio | asked | files/s by CPU time |"
say "|---|---|---|---|---|---|"
measure_midi lakh 25 20
measure_midi maestro-v3.0.0 12 20
measure_midi emopia 10 5
say ""
say "| 44.1 kHz wav to mel at | seconds of audio a second | asked | by CPU time |"
say "|---|---|---|---|"
make_audio
measure_audio 44100 1000
measure_audio 22050 150
measure_audio 16000 150
cp "$work/out.txt" bench/DATA.md
