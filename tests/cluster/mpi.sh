#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs that 1, 2 and 4 processes share on this machine, with real data: the emotion recogniser on
# EmoDB and the small transformer on MAESTRO. The curve of one process to rounding, the same bits
# again and over kills, another number of ranks behind a kill; and what is refused. Where a folder
# is not named, what `kmidi synth` makes stands for it. usage: tests/cluster/mpi.sh KMIDI [EMODB
# [MAESTRO]] (KMIDI: made with MPI=1; about 5 minutes)
set -eu
here=$(dirname "$(realpath "$0")")
kmidi=$(realpath "$1") emodb=${2:-} maestro=${3:-}
command -v mpirun >/dev/null || { echo "skipped: no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)"; exit 0; }
ldd "$kmidi" | grep -q libmpi || { echo "skipped: '$kmidi' was made without MPI=1"; exit 0; }
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
. "$here/lib.sh"
export KMIDI_GEMM=openblas
mpirun="mpirun"
! mpirun --version | grep -q 'Open MPI' || mpirun="mpirun --quiet --allow-run-as-root --oversubscribe --bind-to none"

# ---- Data

prepare() { # NAME ROOT CONFIG key=value...
    name=$1 root=$2 config=$3
    shift 3
    "$kmidi" prepare "$config" --out "$top/sets/$name" root="$root" -q "$@" >/dev/null || fail "data of $name"
}
chapter "data"
if [ -n "$emodb" ]; then
    prepare emotion_recognizer "$emodb" data/emodb
else
    "$kmidi" prepare data/synth --out "$top/sets/emotion_recognizer" -q synth.items=120 synth.seconds=2 >/dev/null
fi
if [ -z "$maestro" ]; then
    "$kmidi" synth "$top/midi" --midi --items 60 --seconds 60 -q >/dev/null
    prepare emotion_midi_transformer_small "$top/midi" data/midi_emotion
else
    prepare emotion_midi_transformer_small "$maestro" data/maestro
fi

# ---- Runs

train() { # RANKS NAME MODEL key=value...
    local ranks=$1 run=$top/$2 model=$3
    shift 3
    # shellcheck disable=SC2086
    $([ "$ranks" = 1 ] || echo $mpirun -n "$ranks") "$kmidi" train "$model" --run-dir "$run" --resume auto --threads 1 \
        data.train="$top/sets/$model/train-*.h5" data.val="$top/sets/$model/val*-*.h5" train.save_every_steps=3 logging.every=1 -q "$@" \
        >"$run.out" 2>&1 </dev/null
}
losses() { sed -n 's/.*"loss": \([-0-9.e+]*\).*/\1/p' "$top/$1/metrics.jsonl"; }
near() { # NAME NAME BOUND: how far two curves are from each other
    paste <(losses "$1") <(losses "$2") | awk -v bound="$3" -v what="$1" '
        NF == 2 { d = ($1 - $2) / $2; d = d < 0 ? -d : d; most = d > most ? d : most; n++ }
        END { printf "  %s: %d losses, at most %.2g off those of one process\n", what, n, most; exit !(n > 5 && most < bound) }' ||
        fail "$1 has another curve than $2"
}
same() { [ "$(weights "$top/$1")" = "$(weights "$top/$2")" ] || fail "$1 has other weights than $2"; }
ranks_of() { ps -e -o pid=,ppid= | awk -v p="$1" '$2 == p { print $1 }'; }
# Begun, or gone on with, and one of its ranks killed after a moment. False: it was over by then.
kill_once() { # RANKS NAME MODEL key=value...
    local list starter status=0
    train "$@" & starter=$!
    sleep "$((1 + RANDOM % 3)).$((RANDOM % 10))"
    read -r -a list <<<"$(ranks_of "$(ranks_of $starter | head -n 1)" | tr '\n' ' ')"
    [ ${#list[@]} = 0 ] || kill -9 "${list[RANDOM % ${#list[@]}]}" 2>/dev/null || true
    wait $starter || status=$?
    [ $status != 0 ]
}

try() { # MODEL BOUND key=value...
    local model=$1 bound=$2
    shift 2
    chapter "$model, 1, 2 and 4 ranks"
    for n in 1 2 4; do
        train $n "$model.$n" "$model" "$@" || fail "$model, $n ranks"
    done
    near "$model.2" "$model.1" "$bound"
    near "$model.4" "$model.1" "$bound"
    chapter "$model again, and over kills"
    train 2 "$model.again" "$model" "$@" || fail "$model"
    same "$model.again" "$model.2"
    for n in 1 2 3; do
        ! kill_once 2 "$model.killed" "$model" "$@" || echo "  killed"
    done
    train 2 "$model.killed" "$model" "$@" || fail "$model"
    same "$model.killed" "$model.2"
    chapter "$model, begun by 2 ranks and gone on with by 4 and by 1"
    kill_once 2 "$model.other" "$model" "$@" || fail "$model was over too soon"
    kill_once 4 "$model.other" "$model" "$@" && echo "  killed twice"
    train 1 "$model.other" "$model" "$@" || fail "$model"
    near "$model.other" "$model.1" "$bound"
}
try emotion_recognizer 1e-3 train.max_steps=40 memory.micro_batch=4 train.eval_every=1
try emotion_midi_transformer_small 1e-3 train.max_steps=12 memory.micro_batch=2 data.eval_windows=1 schedule.warmup_steps=4

# ---- What ends it, and what is refused

cd "$top"
model=emotion_recognizer
endless="--resume auto --threads 1 data.train=$top/sets/$model/train-*.h5 data.val=null memory.micro_batch=4 train.epochs=100000 train.save_every_steps=2"
begin() { # NAME: 2 ranks in the background; $starter, and ${ranks[@]}
    # shellcheck disable=SC2086
    $mpirun -n 2 "$kmidi" train $model --run-dir "$top/$1" $endless >"$1.out" 2>&1 </dev/null &
    starter=$!
    for ((i = 0; i < 300; i++)); do [ -e "$top/$1/checkpoints/last.h5" ] && break; sleep 0.1; done
    read -r -a ranks <<<"$(ranks_of $starter | tr '\n' ' ')"
    [ ${#ranks[@]} = 2 ] || fail "$1 did not begin"
}
chapter "a rank that dies"
begin dies
kill -9 "${ranks[1]}"
died=$SECONDS
! wait $starter || fail "a rank died, and mpirun ended with 0"
[ $((SECONDS - died)) -lt 10 ] || fail "the others waited $((SECONDS - died)) s for a dead rank"
grep -h "has ended, and the run with it" dies.out || fail "nobody says which rank died"
"$kmidi" verify dies/checkpoints/*.h5 -q || fail "a checkpoint is damaged"

refused() { # WORDS COMMAND...: exit status 1 with a sentence
    local words=$1 status=0
    shift
    "$@" >refused.out 2>&1 </dev/null || status=$?
    [ $status = 1 ] || fail "exit status $status: $*"
    grep -h -m 1 "$words" refused.out | cut -c1-180 | sed 's/^/  /' || fail "nobody says '$words'"
}
chapter "ranks that differ"
cp "$kmidi" other && echo >>other
# shellcheck disable=SC2086
refused "rank 1: another version of the program" $mpirun -n 1 "$kmidi" train $model --run-dir differ $endless : -n 1 ./other train $model --run-dir differ $endless
# shellcheck disable=SC2086
refused "rank 1: another configuration" $mpirun -n 1 "$kmidi" train $model --run-dir differ $endless : -n 1 "$kmidi" train $model --run-dir differ $endless optim.lr=1e-2
mkdir a b
cp "sets/$model"/train-*.h5 a
first=$(basename "$(ls a/train-*.h5 | head -n 1)")
cp "$(ls "sets/$model"/val*-*.h5 | head -n 1)" "b/$first"
own="train $model --run-dir $top/differ --threads 1 data.train=$first data.val=null memory.micro_batch=4"
# shellcheck disable=SC2086
refused "rank 1: another shard in data.train" $mpirun -wdir "$top/a" -n 1 "$kmidi" $own : -wdir "$top/b" -n 1 "$kmidi" $own
[ ! -e differ ] || fail "a refused run left a folder"

chapter "more threads than cores"
# shellcheck disable=SC2086
taskset -c 0 $mpirun -n 2 "$kmidi" train $model --run-dir cores $endless --threads 2 train.max_steps=2 >cores.out 2>&1 </dev/null || fail "two ranks on one core"
grep -h "2 ranks here with 2 threads each are more than the cores that they may use; each takes 1" cores.out || fail "nobody says that threads were too many"
grep -h "2 ranks here share 1 core; start fewer" cores.out || fail "nobody says that ranks were too many"
grep -q '"threads": 1' cores/environment.json || fail "a rank took more threads than cores"
chapter ok
