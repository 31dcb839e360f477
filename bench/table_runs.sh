# SPDX-License-Identifier: GPL-3.0-or-later
# table_runs.sh: what very many runs take: to list (RUNS=10000 folders), to plan (a sweep of 1,000),
# and what a sweep adds to each. The peer of listing is `cat` of the same records, whose names it is
# given. A sweep's own share is its time less that of the same commands from a shell.
: "${tmp:?this is a table of bench/run.sh}"
listed=${RUNS:-10000}
lot=$tmp/lot
row="train.epochs=1 data.train=$lot/shards/train-*.h5 data.val=$lot/shards/val-*.h5"

heading "Many runs"
mkdir -p "$lot/runs"
./kmidi synth "$lot/corpus" --midi --items 60 --quiet >/dev/null
./kmidi prepare configs/data/midi_emotion.yaml root="$lot/corpus" --out "$lot/shards" --quiet >/dev/null
./kmidi train dynamics_engine $row --run-dir "$lot/runs/1" --quiet >/dev/null
rm -r "$lot/runs/1/checkpoints"
i=2
while [ $i -le "$listed" ]; do
    cp -r "$lot/runs/1" "$lot/runs/$i"
    i=$((i + 1))
done

# Eight runs of a moment each, one after the other: from a shell, and by a sweep.
cat >"$lot/by-hand.sh" <<EOF
for s in 1 2 3 4 5 6 7 8; do
    ./kmidi train dynamics_engine $row train.seed=\$s train.threads=1 --run-dir "\$1/\$s" --quiet || exit 1
done
EOF
for _ in $(seq "$ROUNDS"); do
    timed list ./kmidi runs "$lot/runs" --json --quiet
    timed cat sh -c "find '$lot/runs' -name config.yaml -o -name metrics.jsonl -o -name DONE | xargs cat"
    timed plan ./kmidi sweep dynamics_engine $row train.seed=1..1000 --out "$lot/thousand" --dry-run --quiet
    rm -rf "$lot/hand" "$lot/sweep"
    timed hand sh "$lot/by-hand.sh" "$lot/hand"
    timed sweep ./kmidi sweep dynamics_engine $row train.threads=1 train.seed=1..8 --out "$lot/sweep" --jobs 1 --quiet
done
own=$(awk -v a="$(figure sweep s)" -v b="$(figure hand s)" 'BEGIN {if (a + 0 > 0 && b + 0 > 0) printf "%.0f", (a - b) / 8 * 1000; else printf "-"}')
say "Seconds, files in the page cache. A sweep's own share is that of one of eight runs: its time"
say "less that of the same eight commands from a shell, in milliseconds."
say ""
say "| kmidi runs of $listed | their records through cat | ratio | a sweep of 1,000 planned | eight runs from a shell | by a sweep | its own share a run, ms |"
say "|---|---|---|---|---|---|---|"
say "| $(figure list s) | $(figure cat s) | $(ratio "$(figure list s)" "$(figure cat s)") | $(figure plan s) | $(figure hand s) | $(figure sweep s) | $own |"
