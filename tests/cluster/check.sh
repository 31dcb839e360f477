#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A real Slurm on this machine (one slurmctld, four slurmd), and jobs that it preempts, kills and
# loses: in the end every weight is that of a run that was left alone. Without Slurm it says so and
# ends well. usage: tests/cluster/check.sh KMIDI
set -eu
for tool in slurmctld slurmd sbatch; do
    command -v $tool >/dev/null || { echo "skipped: no $tool (Debian: apt install slurm-wlm)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: slurmd must be started by root"; exit 0; }
kmidi=$(realpath "$1")
top=$(mktemp -d)
export SLURM_CONF=$top/slurm.conf
ctld= nodes=()
finish() {
    scancel --user="$(id -un)" >/dev/null 2>&1 || true
    sleep 2
    kill "${nodes[@]}" $ctld 2>/dev/null || true
    wait
    rm -rf "$top"
}
trap finish EXIT
fail() { echo "FAIL: $*" >&2; tail -n 5 "$top"/*.out "$top"/work/*.out >&2 || true; exit 1; }

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
mkdir -p "$top"/state "$top"/spool-n{1,2,3,4} "$top"/work
slurmctld -D -c >"$top/ctld.out" 2>&1 & ctld=$!
for n in 1 2 3 4; do slurmd -D -N n$n >"$top/n$n.out" 2>&1 & nodes+=($!); done
for ((i = 0; i < 30; i++)); do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 1; done
cd "$top/work"

state() { squeue -h -t all -j "$1" -o %T 2>/dev/null | sort -u | tr '\n' ' '; }
# Until no job of that number is waiting or running; what was queued again does not wait its 2
# minutes.
ended() {
    for ((i = 0; i < ${2:-240}; i++)); do
        case $(state "$1") in *PENDING*|*RUNNING*|*COMPLETING*|*CONFIGURING*) ;; *) return ;; esac
        now "$1"
        sleep 0.5
    done
    fail "job $1 does not end: $(squeue)"
}
now() { squeue -h -t pending -j "$1" -o '%A %r' | while read -r id why; do [ "$why" != BeginTime ] || scontrol update JobId="$id" StartTime=now || true; done; }
job_of() { sed -n 's/.*"job": "\([0-9]*\)".*/\1/p'; }
weights() { "$kmidi" export "$1" --format safetensors -o "$1.safetensors" -q >/dev/null && sha256sum <"$1.safetensors"; }

echo "a set in 8 parts"
"$kmidi" prepare data/synth --out whole -q -j 1 synth.items=96 synth.seconds=0.5 shard_items=8 >/dev/null
"$kmidi" prepare data/synth --out whole -q --merge synth.items=96 synth.seconds=0.5 shard_items=8 >/dev/null
jobs=$("$kmidi" slurm prepare data/synth --out parts --parts 8 --threads 1 --submit --json synth.items=96 synth.seconds=0.5 shard_items=8 | job_of)
for j in $jobs; do ended "$j"; done
cmp whole/summary.json parts/summary.json || fail "the parts are another set"
for f in whole/*.h5; do "$kmidi" verify "parts/$(basename "$f")" -q >/dev/null || fail "$f"; done

args=(emotion_recognizer --threads 1 "data.train=whole/train-*.h5" "data.val=whole/val-*.h5" memory.micro_batch=8 train.batch_size=8
    train.epochs="${EPOCHS:-60}" memory.budget=1GiB data.window=12 train.early_stopping.patience=1000000 optim.lr=1e-4)
echo "a run that is left alone"
since=$SECONDS
"$kmidi" train "${args[@]}" --run-dir alone -q >/dev/null || fail "training"
echo "  $((SECONDS - since)) s"
want=$(weights alone)

echo "a run preempted five times"
job=$("$kmidi" slurm "${args[@]}" --run-dir often --time 30 --submit --json | job_of)
for ((k = 0; k < 5; k++)); do
    for ((i = 0; i < 120; i++)); do [ "$(state "$job")" = "RUNNING " ] && break; now "$job"; sleep 0.5; done
    sleep "$((RANDOM % 3 + 1)).$((RANDOM % 10))"
    [ "$(state "$job")" = "RUNNING " ] || { echo "  over after $k"; break; }
    sbatch -p high -N 4 --exclusive --wrap "sleep 1" -o /dev/null >/dev/null
    for ((i = 0; i < 60; i++)); do [ "$(state "$job")" != "RUNNING " ] && break; sleep 0.5; done
done
ended "$job"
[ "$(weights often)" = "$want" ] || fail "a preempted run has other weights"
grep -o '"restarts": [0-9]*' often/.lock
grep -c '"kind": "eval"' often/metrics.jsonl alone/metrics.jsonl

echo "a node that goes away"
job=$("$kmidi" slurm "${args[@]}" --run-dir lost --time 30 --submit --json | job_of)
for ((i = 0; i < 60; i++)); do [ -e lost/metrics.jsonl ] && break; sleep 0.5; done
node=$(squeue -h -j "$job" -o %N)
kill -9 "${nodes[${node#n} - 1]}"
ended "$job" 400
[ "$(weights lost)" = "$want" ] || fail "a run whose node was lost has other weights"
echo ok
