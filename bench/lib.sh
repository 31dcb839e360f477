# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh: what the tables have in common: settings (run.sh says what they mean), figures out of JSON
# lines, medians, and one measurement of ours or of a peer. A figure is kept in $tmp/NAME, a line a
# round; a measurement that fails or takes too long leaves none and shows as "-".
REFERENCE=${REFERENCE:-../shared/reference}
SECONDS_EACH=${SECONDS_EACH:-2}
ROUNDS=${ROUNDS:-3}
THREADS=${THREADS:-2}
LIMIT=${LIMIT:-120}
WRAP=${WRAP:-}

python=""
audio=""
noteseq=""
if [ -n "${PEERS:-}" ] && [ -f "$REFERENCE/train_step.py" ]; then
    [ ! -x "$PEERS/torch/bin/python" ] || python=$PEERS/torch/bin/python
    [ ! -x "$PEERS/audio/bin/python" ] || audio=$PEERS/audio/bin/python
    [ ! -x "$PEERS/noteseq/bin/python" ] || noteseq=$PEERS/noteseq/bin/python
fi
audio=${audio:-$python}

field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([-0-9.e+]*\).*/\1/p" | tail -1; }
median() { sort -g "$tmp/$1" 2>/dev/null | awk '{v[NR] = $1} END {if (NR) print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else print "-"}'; }
larger() { printf '%s\n' "$@" | awk '$1 != "-" && (!n++ || $1 + 0 > best) {best = $1 + 0} END {print n ? best : "-"}'; }
smaller() { printf '%s\n' "$@" | awk '$1 != "-" && (!n++ || $1 + 0 < best) {best = $1 + 0} END {print n ? best : "-"}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else printf "-"}'; }
short() { awk -v a="$1" 'BEGIN {if (a == "-") print a; else if (a >= 1000) printf "%.0f\n", a; else printf "%.4g\n", a}'; }
say() { printf '%s\n' "$*" | tee -a "$tmp/table"; }
note() { printf '%s\n' "$*" >&2; }
forget() { rm -f "$tmp"/m.*; }
now() { date +%s.%N; }
elapsed() { awk -v a="$1" -v b="$(now)" 'BEGIN {printf "%.4f", b - a}'; }

# Runs a command in at most LIMIT seconds; its last line of JSON is in $tmp/line.
measure() { # command...
    $WRAP timeout "$LIMIT" "$@" >"$tmp/line" 2>"$tmp/errors" && return 0
    note "no figure (exit status $?, limit $LIMIT s): $*"
    return 1
}

# Fields of the last measurement into $tmp/m.PREFIX.FIELD.
keep() ( # prefix field...
    prefix=$1; shift
    for k in "$@"; do
        v=$(field "$k" <"$tmp/line")
        [ -z "$v" ] || printf '%s\n' "$v" >>"$tmp/m.$prefix.$k"
    done
)
figure() { median "m.$1.$2"; }

# Seconds from the command to its end, as field s of `name`.
timed() ( # name command...
    key=$1; shift
    began=$(now)
    measure "$@" || return 0
    printf '%s\n' "$(elapsed "$began")" >>"$tmp/m.$key.s"
)

# A model of a list of "name:batch:length". The small transformer is the one of
# configs/emotion_midi_transformer_small.yaml.
SMALL="layers=4 dim=128 heads=4 ffn=512 cross=0"
model_of() { case $1 in transformer_small) echo emotion_midi_transformer ;; *) echo "$1" ;; esac; }
sizes_of() { case $1 in transformer_small) echo "$SMALL" ;; esac; }

# In subshells: what they call their arguments is nobody else's.
ours() ( # prefix model batch length [option...]
    key=$1 name=$2 batch=$3 length=$4; shift 4
    measure ./kmidi bench "$(model_of "$name")" --sizes "$(sizes_of "$name")" --batch "$batch" --length "$length" --threads "$THREADS" --seconds "$SECONDS_EACH" --json "$@" || return 0
    keep "$key" steps_per_s peak_rss_mb gflops gemm_peak_gflops
)

pytorch() ( # prefix model batch length [option...]
    key=$1 name=$2 batch=$3 length=$4; shift 4
    [ -n "$python" ] || return 0
    measure "$python" bench/step_peer.py "$REFERENCE" "$(sizes_of "$name")" "$(model_of "$name")" --batch "$batch" --length "$length" --threads "$THREADS" --seconds "$SECONDS_EACH" "$@" || return 0
    keep "$key" steps_per_s peak_rss_mb
)

# What a section begins with.
heading() { # title
    say "## $1"
    say ""
    say "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -1), commit $(git rev-parse --short HEAD 2>/dev/null || echo none), threads: $THREADS; medians, rounds: $ROUNDS."
    say ""
}
