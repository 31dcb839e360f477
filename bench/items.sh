#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# items.sh: kmidi prepare of very many items: does memory stay, and are the shards the same when it
# was killed three times on the way?
#
#     bench/items.sh midi FOLDER [COUNT...]      MIDI files below FOLDER, hard-linked under new names; COUNT: 10000 100000
#     bench/items.sh audio FOLDER [COUNT...]     wav files, by a manifest
#
# One line a COUNT: seconds, items a second, peak of the sum of all processes' proportional memory
# (PSS, sampled ten times a second), and whether the killed runs ended with the same bytes. Linux
# only (/proc). WORK names the folder for it, KMIDI the program, JOBS the jobs.
set -eu
kind=${1:?midi or audio} folder=${2:?a folder of files}
shift 2
[ $# -gt 0 ] || set -- 10000 100000
kmidi=${KMIDI:-./kmidi} jobs=${JOBS:-2} work=${WORK:-$(mktemp -d)}
trap 'rm -rf "$work/in" "$work/seed" "$work"/out-*' EXIT

# 1,000 files once, then links to all of them.
lay_out() {
    rm -rf "$work/in" "$work/seed"
    mkdir -p "$work/seed" "$work/in/lmd_full"
    i=0
    while [ $i -lt 1000 ]; do
        for f in $files; do
            [ $i -lt 1000 ] || break
            cp "$f" "$work/seed/$(printf %03d $i).$ending"
            i=$((i + 1))
        done
    done
    i=0
    while [ $i -lt $(($1 / 1000)) ]; do
        cp -al "$work/seed" "$work/in/lmd_full/$i"
        i=$((i + 1))
    done
    [ "$kind" = midi ] || (cd "$work/in" && find lmd_full -name '*.wav' | sort | sed 's/.*/{"path": "&"}/' >manifest.jsonl)
}

command() {
    case $kind in
    midi) exec "$kmidi" prepare configs/data/lakh.yaml root="$work/in" --jobs "$jobs" --quiet --json --out "$1" ;;
    audio) exec "$kmidi" prepare configs/data/audio_manifest.yaml root="$work/in" --jobs "$jobs" --quiet --json --out "$1" ;;
    esac
}

pss_of_tree() {
    for p in $1 $(cat /proc/$1/task/$1/children 2>/dev/null); do
        cat /proc/$p/smaps_rollup 2>/dev/null || :
    done | awk '/^Pss:/ {s += $2} END {print s + 0}'
}

case $kind in
midi) ending=mid files=$(find "$folder" -name '*.mid' -o -name '*.midi' | sort | head -1000) ;;
audio) ending=wav files=$(find "$folder" -name '*.wav' | sort | head -1000) ;;
*) sed -n '3,9p' "$0" && exit 2 ;;
esac
for count in "$@"; do
    lay_out "$count"
    rm -rf "$work"/out-*
    (command "$work/out-whole" >"$work/whole.json") &
    pid=$! peak=0
    while kill -0 $pid 2>/dev/null; do
        now=$(pss_of_tree $pid)
        [ "$now" -le $peak ] || peak=$now
        sleep 0.1
    done
    wait $pid
    seconds=$(sed 's/.*"seconds": \([0-9.]*\).*/\1/' "$work/whole.json")
    for part in 2 5 8; do
        (command "$work/out-killed" >"$work/killed.json" 2>/dev/null) &
        pid=$!
        sleep "$(echo "$seconds $part" | awk '{print $1 * $2 / 20}')"
        workers=$(cat /proc/$pid/task/$pid/children 2>/dev/null || :)
        kill -9 $pid 2>/dev/null || :
        wait $pid 2>/dev/null || :
        sleep 0.2
        for w in $workers; do
            ! grep -q "^State:.[RSD]" /proc/$w/status 2>/dev/null || echo "worker $w outlives its caller" >&2
        done
    done
    (command "$work/out-killed" >"$work/killed.json")
    same=different
    diff -r "$work/out-whole" "$work/out-killed" >/dev/null && same=identical
    echo "$kind $count $seconds $peak $same" |
        awk '{printf "%s: %d items in %.1f s, %.0f items/s, peak %.0f MiB, after three kills: %s\n", $1, $2, $3, $2 / $3, $4 / 1024, $5}'
done
