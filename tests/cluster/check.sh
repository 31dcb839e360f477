#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A real Slurm on this machine (one slurmctld, four slurmd), and jobs that it preempts, ends by
# their time limit, kills and loses: in the end every weight is that of a run that was left alone,
# no run that was done began again, and `kmidi runs` told the truth whenever it was asked. Without
# Slurm it says so and ends well. usage: tests/cluster/check.sh KMIDI [KMIDI made with MPI=1] (about
# 10 minutes)
set -eu
for tool in slurmctld slurmd sbatch; do
    command -v $tool >/dev/null || { echo "skipped: no $tool (Debian: apt install slurm-wlm)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: slurmd must be started by root"; exit 0; }
here=$(dirname "$(realpath "$0")")
kmidi=$(realpath "$1") mpi=${2:+$(realpath "$2")}
top=$(mktemp -d)
export SLURM_CONF=$top/slurm.conf XDG_CACHE_HOME=$top/cache KMIDI_GEMM=openblas
ctld= nodes=() watcher=
finish() {
    rm -f "$top/watch"
    scancel --user="$(id -un)" >/dev/null 2>&1 || true
    sleep 2
    kill "${nodes[@]}" $ctld 2>/dev/null || true
    wait
    rm -rf "$top"
}
trap finish EXIT
. "$here/lib.sh"

# ---- The cluster

cat >"$SLURM_CONF" <<END
ClusterName=check
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=16917
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
StateSaveLocation=$top/state
SlurmctldPidFile=$top/ctld.pid
SlurmdPidFile=$top/%n.pid
SlurmdSpoolDir=$top/spool-%n
ReturnToService=2
SlurmdTimeout=10
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
NodeName=n[1-4] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[17101-17104] CPUs=2 RealMemory=4000
PartitionName=low Nodes=n[1-4] Default=YES PriorityTier=1 MaxTime=60
PartitionName=high Nodes=n[1-4] PriorityTier=10 MaxTime=60
END
start_node() { slurmd -D -N "n$1" >>"$top/n$1.out" 2>&1 & nodes[$1 - 1]=$!; }
mkdir -p "$top"/state "$top"/spool-n{1,2,3,4} "$top"/work
slurmctld -D -c >"$top/ctld.out" 2>&1 & ctld=$!
for n in 1 2 3 4; do start_node $n; done
for ((i = 0; i < 60; i++)); do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 0.5; done
cd "$top/work"

state() { squeue -h -t all -j "$1" -o %T 2>/dev/null | sort -u | tr '\n' ' '; }
active() { case $(state "$1") in *PENDING* | *RUNNING* | *COMPLETING* | *CONFIGURING* | *REQUEUE*) ;; *) false ;; esac }
job_of() { sed -n 's/.*"job": "\([0-9]*\)".*/\1/p'; }
# What was queued again does not wait its 2 minutes; some seconds it does: a node refuses what begins
# in the second in which it ended there ("Job credential revoked").
now() {
    squeue -h -r -t pending -j "$1" -o '%i %r' 2>/dev/null | awk '$2 == "BeginTime" { print $1 }' >"$top/waiting"
    [ ! -s "$top/waiting" ] || sleep 3
    while read -r id; do scontrol update JobId="$id" StartTime=now 2>/dev/null || true; done <"$top/waiting"
}
ended() {
    for ((i = 0; i < ${2:-400}; i++)); do
        # One that is being queued again is in no queue for a moment.
        if active "$1" || { sleep 2; active "$1"; }; then now "$1"; else return 0; fi
        sleep 0.5
    done
    fail "job $1 does not end: $(squeue)"
}
begins() { # until some of a job runs; false where it is over
    for ((i = 0; i < 240; i++)); do
        ! squeue -h -t running -j "$1" -o %A 2>/dev/null | grep -q . || return 0
        active "$1" || return 1
        now "$1"
        sleep 0.25
    done
    return 1
}
runs_now() { begins "$1" || fail "job $1 does not begin: $(squeue)"; }
nap() { sleep "$((RANDOM % ${1:-3})).$((RANDOM % 10))"; }
preempt() { # so many nodes, of those that are there
    sbatch -p high -N "$1" --exclusive --wrap "sleep 1" -o /dev/null --parsable
}

# ---- What is true

# Each .lock below a folder: name, who has it by the kernel's own list, a digest of what it says.
locks() {
    local run id held=$(awk '$2 == "FLOCK" { print $6, $5 }' /proc/locks)
    for run in "$1"/*/; do
        run=${run%/}
        [ -e "$run/.lock" ] || continue
        id=$(stat -c %i "$run/.lock" 2>/dev/null) || continue
        echo "$(basename "$run") $(awk -v i=":$id" '$1 ~ i "$" { print $2; exit }' <<<"$held")/$(cksum <"$run/.lock" 2>/dev/null | cut -d' ' -f1)"
    done
}
# What `kmidi runs` says of each run must have been so at some time while it was asked: a lock that
# was held by the same process before and behind it is "running" (or "done", at its very end), one
# that was free is not; and what says DONE is done, and not begun again.
watch_truth() {
    local dir=$1 name said before after was now
    declare -A over
    while [ -e "$top/watch" ]; do
        before=$(locks "$dir") || true
        "$kmidi" runs "$dir" --csv -q 2>/dev/null | cut -d, -f1,2 | tail -n +2 >"$top/said" || true
        after=$(locks "$dir") || true
        while IFS=, read -r name said; do
            was=$(awk -v n="$name" '$1 == n { print $2 }' <<<"$before")
            now=$(awk -v n="$name" '$1 == n { print $2 }' <<<"$after")
            echo look
            if [ -n "$was" ] && [ "$was" = "$now" ]; then
                case $was,$said in
                    /*,running) echo "LIE: $name is said to be $said, and nobody has it" ;;
                    /*) ;;
                    *,running | *,done) ;;
                    *) echo "LIE: $name is said to be $said, and ${was%/*} has it" ;;
                esac
            fi
            if [ "$said" = done ]; then
                [ -e "$dir/$name/DONE" ] || echo "LIE: $name is said to be done"
                now=$(cksum <"$dir/$name/.lock")
                [ "${over[$name]:-$now}" = "$now" ] || echo "TWICE: $name began again when it was done"
                over[$name]=$now
            elif [ -n "${over[$name]:-}" ]; then
                echo "TWICE: $name was done and is $said"
            fi
        done <"$top/said"
        sleep 0.2
    done
}
watch_begin() {
    : >"$top/watch"
    watch_truth "$1" >"$top/truth" 2>&1 & watcher=$!
}
watch_end() {
    rm -f "$top/watch"
    wait $watcher
    ! grep -m 5 -v '^look$' "$top/truth" >&2 || fail "kmidi runs did not tell the truth"
    echo "  $(grep -c look "$top/truth") answers of kmidi runs, all true"
}
same_weights() { # FOLDER, of runs, and the folder that was left alone
    local run n=0
    for run in "$2"/*/checkpoints; do
        run=$(basename "$(dirname "$run")")
        [ "$(weights "$1/$run")" = "$(weights "$2/$run")" ] || fail "$1/$run has other weights"
        n=$((n + 1))
    done
    echo "  $n runs, weights as of those left alone; begun $(cat "$1"/*/.lock | grep -o '"restarts": [0-9]*' | awk '{ n += $2 + 1 } END { print n }') times in all"
}

# ---- Datasets

keys=(synth.items=96 synth.seconds=0.5 shard_items=8)
chapter "a set in 8 parts, preempted while it is made"
"$kmidi" prepare data/synth --out whole -q -j 1 "${keys[@]}" >/dev/null
"$kmidi" prepare data/synth --out whole -q --merge "${keys[@]}" >/dev/null
jobs=$("$kmidi" slurm prepare data/synth --out parts --parts 8 --threads 1 --submit --json "${keys[@]}" | job_of)
runs_now "${jobs%%$'\n'*}"
preempt 4 >/dev/null
for j in $jobs; do ended "$j"; done
cmp whole/summary.json parts/summary.json || fail "the parts are another set"
for f in whole/*.h5; do "$kmidi" verify "parts/$(basename "$f")" -q >/dev/null || fail "$f"; done

# ---- Runs

args=(emotion_recognizer "data.train=whole/train-*.h5" "data.val=whole/val-*.h5" memory.micro_batch=8 train.batch_size=8
    memory.budget=1GiB data.window=12 train.early_stopping.patience=1000000)
long=(--threads 1 "${args[@]}" optim.lr=1e-4 train.epochs="${EPOCHS:-150}" train.save_every=5)
space=(optim.lr=1e-3,3e-4,1e-4 train.seed=1..4 train.epochs="${SWEEP_EPOCHS:-20}")
chapter "a run and a sweep of 12 that are left alone"
"$kmidi" train "${long[@]}" --run-dir alone/run -q >/dev/null || fail "training"
"$kmidi" sweep "${args[@]}" "${space[@]}" --out calm --threads 1 --jobs 2 -q >/dev/null || fail "a sweep"

chapter "an array of 12 runs, preempted at random"
job=$("$kmidi" slurm sweep "${args[@]}" "${space[@]}" --out array --threads 1 --time 30 --submit --json -q | job_of)
watch_begin array
for ((k = 0; k < 8; k++)); do
    runs_now "$job"
    nap 4
    preempt $((RANDOM % 4 + 1)) >/dev/null
    [ "$(state "$job" | grep -c 'PENDING\|RUNNING')" = 1 ] || break
done
echo "  preempted $k times"
ended "$job" 4000
sbatch -Q array.sbatch >/dev/null # once more: every task ends at once
watch_end
ended "$(squeue -h -o %A | head -n 1)" || true
"$kmidi" runs array --csv -q | cut -d, -f2 | sort | uniq -c
same_weights array calm

chapter "an array of 12 runs, its tasks killed by -9"
"$kmidi" slurm sweep "${args[@]}" "${space[@]}" --out killed --threads 1 --time 30 -q >/dev/null
job=$(sbatch --parsable killed.sbatch)
watch_begin killed
for ((k = 0; k < 12; k++)); do
    begins "$job" || { job=$(sbatch --parsable killed.sbatch); continue; }
    nap
    held=$(locks killed | awk '$2 !~ "^/" { sub("/.*", "", $2); print $2 }' | shuf -n 1)
    [ -z "$held" ] || kill -9 "$held" 2>/dev/null || true
done
ended "$job" 4000
job=$(sbatch --parsable killed.sbatch) # what failed is handed in again
ended "$job" 4000
watch_end
same_weights killed calm

chapter "a run preempted five times"
job=$("$kmidi" slurm "${long[@]}" --run-dir often/run --time 30 --submit --json | job_of)
watch_begin often
for ((k = 0; k < 5; k++)); do
    runs_now "$job"
    nap
    [ "$(state "$job")" = "RUNNING " ] || break
    preempt 4 >/dev/null
    for ((i = 0; i < 120; i++)); do [ "$(state "$job")" != "RUNNING " ] && break; sleep 0.25; done
done
echo "  preempted $k times"
[ "$k" = 5 ] || fail "the run was over after $k; give a larger EPOCHS"
ended "$job"
watch_end
same_weights often alone

# srun starts the ranks of MPICH by pmi2, on two nodes; those of Open MPI by pmix, on one, as its
# servers on one machine are in each other's way.
if [ -n "$mpi" ]; then
    ! ldd "$mpi" | grep -q libmpich && on=1 || on=2
    ranks=(--ranks 2 --sbatch --nodes=$on "${long[@]}" memory.micro_batch=4 train.epochs="${RANK_EPOCHS:-25}")
    chapter "a run of two ranks, started by srun, preempted three times"
    for run in calm often; do
        job=$("$mpi" slurm "${ranks[@]}" --run-dir ranks-$run/run --time 30 --submit --json | job_of)
        [ $run = calm ] || watch_begin ranks-often
        for ((k = 0; k < 3 && ${#run} > 4; k++)); do
            runs_now "$job"
            for ((i = 0; i < 60; i++)); do [ -e ranks-often/run/metrics.jsonl ] && break; sleep 0.5; done
            nap 2
            preempt 4 >/dev/null
            for ((i = 0; i < 120; i++)); do [ "$(state "$job")" != "RUNNING " ] && break; sleep 0.25; done
        done
        ended "$job" 4000
    done
    watch_end
    grep -h "srun --mpi" ranks-often/run.sbatch | cut -d' ' -f1-3
    same_weights ranks-often ranks-calm
fi

# The first 50 of 60 seconds go by before the command begins: a job has 10 s of training.
chapter "a job that tells itself when its time is over"
"$kmidi" slurm "${long[@]}" --run-dir short/run --time 1 --margin 1 >/dev/null
sed -i 's/^exec/sleep 48\nexec/; /--signal/d' short/run.sbatch
job=$(sbatch --parsable short/run.sbatch)
watch_begin short
ended "$job" 4000
watch_end
grep -h "time limit is near" short/run.*.out | sort | uniq -c
same_weights short alone

chapter "a job that its time limit kills, handed in again"
"$kmidi" slurm "${long[@]}" --run-dir late/run --time 1 --margin 1 >/dev/null
sed -i 's/^exec/sleep 50\nPATH=\/nonexistent exec/; /--signal/d; /KMIDI_REQUEUE/d' late/run.sbatch
watch_begin late
for ((k = 0; k < 8; k++)); do
    job=$(sbatch --parsable late/run.sbatch)
    ended "$job" 4000
    [ ! -e late/run/DONE ] || break
done
watch_end
echo "  ended by $((k)) time limits: $(state "$job")"
same_weights late alone

chapter "a node that goes away, its processes living on"
job=$("$kmidi" slurm "${long[@]}" --run-dir lost/run --time 30 --submit --json | job_of)
watch_begin lost
for ((i = 0; i < 60; i++)); do [ -e lost/run/metrics.jsonl ] && break; sleep 0.5; done
node=$(squeue -h -j "$job" -o %N)
kill -9 "${nodes[${node#n} - 1]}"
ended "$job" 4000
watch_end
same_weights lost alone
start_node "${node#n}"

chapter "a node that goes away with its processes"
job=$("$kmidi" slurm "${long[@]}" --run-dir dead/run --time 30 --submit --json | job_of)
watch_begin dead
for ((i = 0; i < 60; i++)); do [ -e dead/run/checkpoints/last.h5 ] && break; sleep 0.5; done
node=$(squeue -h -j "$job" -o %N)
pid=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' dead/run/.lock)
kill -9 "${nodes[${node#n} - 1]}" "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")" "$pid"
ended "$job" 4000
watch_end
same_weights dead alone
start_node "${node#n}"
chapter ok
