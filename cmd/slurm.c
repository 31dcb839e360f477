// SPDX-License-Identifier: GPL-3.0-or-later
// slurm.c: a command as a job of Slurm: a batch script for a run, for the runs of a sweep
// (slurm_sweep.c), or for the parts of a dataset.
#include <string.h>

#include "base/file.h"
#include "cmd/slurm_job.h"
#include "data/prepare/prepare.h"
#include "train/job.h"
#include "train/sweep_plan.h"

enum { RANKS_MOST = 100000 };

static const option options[] = {
    {"run-dir", 0, OPT_TEXT, "DIR", "of a configuration: the run's folder", false},
    {"out", 'o', OPT_TEXT, "DIR", "of a sweep: its folder; of prepare: where the shards go", false},
    {"parts", 0, OPT_INT, "N",
     "an array of N jobs: of prepare, and one that merges; of a sweep, which share its runs",
     false},
    {"random", 0, OPT_INT, "N", "of a sweep, as of kmidi sweep: N runs drawn", false},
    {"seed", 0, OPT_INT, "S", "of --random (1)", false},
    {"sets", 0, OPT_TEXT, "FILE", "of a sweep: YAML with `grid` and `sets`", false},
    {"yes", 'y', OPT_FLAG, NULL, "more than 1000 runs are meant", false},
    {"chain", 0, OPT_INT, "N",
     "N jobs, one after the other, for a run that is longer than a job may be", false},
    {"ranks", 0, OPT_INT, "N",
     "of a configuration: N processes share the run, on as many nodes as it takes (MPI=1)", false},
    {"at-once", 0, OPT_INT, "N",
     "of an array: jobs at the same time (as many as there is room for)", false},
    {"time", 0, OPT_TEXT, "T", "of a job: 90 (minutes), 4h, 1d12h or 1-12:00:00", false},
    {"mem", 0, OPT_BYTES, "SIZE",
     "of a job (of a run: its memory.budget and some; of prepare: as the cluster has it)", false},
    {"partition", 0, OPT_TEXT, "NAME", "where it runs", false},
    {"sbatch", 0, OPT_TEXTS, "OPTION", "any other option of sbatch: --sbatch --account=x", false},
    {"margin", 0, OPT_INT, "S",
     "seconds before the end of a job at which it is told to save (120, or a third of --time)",
     false},
    {"requeue", 0, OPT_INT, "N", "times that a job may queue itself again; 0: never (50)", false},
    {"script", 0, OPT_TEXT, "FILE", "the script (default: beside the folder, DIR.sbatch)", false},
    {"overwrite", 0, OPT_FLAG, NULL, "replace a script that was changed", false},
    {"submit", 0, OPT_FLAG, NULL, "hand it to sbatch", false},
    {0},
};

// ---- A run

static const char *train_arguments(cmd *c, const char *dir)
{
    strbuf out = {0};
    const char *const begin[] = {c->args[0], "--run-dir", dir, "--resume", "auto"};
    strbuf_printf(&out, "train");
    slurm_words(&out, begin, 5);
    strbuf_printf(&out, " --threads \"$SLURM_CPUS_PER_TASK\"");
    slurm_words(&out, c->overrides, c->n_overrides);
    return strbuf_keep(&out, c->arena);
}

static bool take_ranks(cmd *c, const train_options *o, slurm_script *s, err *e)
{
    const char *library = comm_library();
    if (!option_given(c, "ranks"))
        return true;
    if (!slurm_in_range(c, "ranks", 0, 2, RANKS_MOST, &s->ranks, e))
        return false;
    if (!library)
        return err_set(e, ERR_USAGE,
                       "--ranks needs a kmidi that can talk to others, and this one was made "
                       "without MPI; make it with: make MPI=1");
    s->mpi = str_starts(library, "Open MPI") ? "pmix" : "pmi2";
    comm *all = comm_suppose(s->ranks);
    bool ok = trainer_shares(all, o->batch_size * o->grad_accum, o->micro_batch, e);
    comm_close(all, ERR_NONE);
    return ok;
}

// What could not run is refused here, not in a job hours later.
static bool check_run(cmd *c, const char *dir, slurm_script *s, err *e)
{
    job_request r = {.config = c->args[0],
                     .overrides = c->overrides,
                     .n_overrides = c->n_overrides,
                     .run_dir = dir,
                     .automatic = true,
                     .env = &c->env};
    job *j = job_configure(&r, c->arena, e);
    if (!j)
        return false;
    s->memory = j->options.budget + j->options.budget / 16 + (256 << 20);
    s->cpus = j->options.threads > 0 ? j->options.threads : 4;
    bool ok = take_ranks(c, &j->options, s, e);
    job_close(j);
    return ok;
}

static bool slurm_train(cmd *c, err *e)
{
    static const char *const others[] = {"out", "parts", "random", "seed", "sets", "yes", NULL};
    const char *dir = option_text(c, "run-dir", NULL), *id;
    slurm_script s = {0};
    if (!slurm_only_for(c, "a run", others, e))
        return false;
    if (!dir)
        return err_set(e, ERR_USAGE,
                       "name the run's folder, in which every start of the job goes on: --run-dir "
                       "runs/NAME");
    if (option_given(c, "chain") && !slurm_in_range(c, "chain", 0, 1, TASKS_MOST, &s.tasks, e))
        return false;
    if (s.tasks && option_given(c, "at-once"))
        return err_set(e, ERR_USAGE, "--chain is one job at a time; leave --at-once out");
    s.at_once = s.tasks ? 1 : 0;
    if (!check_run(c, dir, &s, e) || !slurm_take(c, dir, &s, e))
        return false;
    s.what = s.tasks ? arena_printf(c->arena, "%d jobs, one after the other, for the run %s",
                                    s.tasks, str_quoted(c->arena, dir))
                     : arena_printf(c->arena, "the run %s", str_quoted(c->arena, dir));
    s.arguments = train_arguments(c, dir);
    return slurm_script_write(&s, option_given(c, "overwrite"), c->arena, e) &&
           slurm_hand_in(c, &s, NULL, &id, e);
}

// ---- A dataset

static bool check_prepare(cmd *c, err *e)
{
    config *k = config_open(prepare_table(c->arena), c->arena);
    if (!config_load(k, c->args[1], e))
        return false;
    for (int i = 0; i < c->n_overrides; i++)
        if (!config_override(k, c->overrides[i], e))
            return false;
    return config_finish(k, e);
}

// `part`: as a shell reads it.
static const char *prepare_arguments(cmd *c, const char *dir, const char *part)
{
    strbuf out = {0};
    const char *const begin[] = {c->args[1], "--out", dir};
    strbuf_printf(&out, "prepare");
    slurm_words(&out, begin, 3);
    strbuf_printf(&out, " --jobs \"$SLURM_CPUS_PER_TASK\"%s", part);
    slurm_words(&out, c->overrides, c->n_overrides);
    return strbuf_keep(&out, c->arena);
}

// DIR.sbatch and DIR-merge.sbatch
static slurm_script merge_of(cmd *c, const slurm_script *s, const char *dir, int parts)
{
    slurm_script m = *s;
    arena *a = c->arena;
    int stem = (int)(strlen(s->path) - (str_ends(s->path, ".sbatch") ? 7 : 0));
    m.path = arena_printf(a, "%.*s-merge.sbatch", stem, s->path);
    m.tasks = m.at_once = 0;
    m.name = arena_printf(a, "%s-merge", s->name);
    m.what = arena_printf(a, "that all %d parts of %s are there", parts, str_quoted(a, dir));
    m.log = slurm_log(arena_printf(a, "%.*s-merge", stem, s->path), "%j", a);
    m.arguments = prepare_arguments(c, dir, arena_printf(a, " --merge=%d", parts));
    return m;
}

static bool slurm_prepare(cmd *c, err *e)
{
    static const char *const others[] = {"run-dir", "chain", "ranks", "random",
                                         "seed",    "sets",  "yes",   NULL};
    const char *dir = option_text(c, "out", NULL), *array, *merged;
    slurm_script s = {.cpus = 4}, m;
    bool over = option_given(c, "overwrite");
    if (!slurm_only_for(c, "prepare", others, e))
        return false;
    if (c->n_args < 2 || !dir || !option_given(c, "parts"))
        return err_set(e, ERR_USAGE,
                       "prepare needs three things: kmidi slurm prepare CONFIG --out "
                       "DIR --parts N");
    if (!slurm_in_range(c, "parts", 0, 1, TASKS_MOST, &s.tasks, e) || !check_prepare(c, e) ||
        !slurm_take(c, dir, &s, e))
        return false;
    s.what = arena_printf(c->arena, "%d parts of %s", s.tasks, str_quoted(c->arena, dir));
    s.arguments = prepare_arguments(
        c, dir, arena_printf(c->arena, " --shard \"$SLURM_ARRAY_TASK_ID/%d\"", s.tasks));
    m = merge_of(c, &s, dir, s.tasks);
    return slurm_script_write(&s, over, c->arena, e) && slurm_script_write(&m, over, c->arena, e) &&
           slurm_hand_in(c, &s, NULL, &array, e) &&
           slurm_hand_in(c, &m, array ? array : "JOB", &merged, e);
}

static bool slurm_run(cmd *c, err *e)
{
    if (!strcmp(c->args[0], "prepare"))
        return slurm_prepare(c, e);
    if (!strcmp(c->args[0], "sweep") || sweep_plan_there(c->args[0]))
        return slurm_sweep(c, e);
    if (c->n_args > 1)
        return err_set(e, ERR_USAGE, "'%s' is one argument too many; usage: kmidi slurm %s",
                       c->args[1], c->self->usage);
    return slurm_train(c, e);
}

const command cmd_slurm = {
    .name = "slurm",
    .summary = "Writes a batch script for Slurm, and hands it in",
    .usage = "CONFIG --run-dir DIR [key=value ...] | sweep CONFIG key=a,b,c ... --out DIR | "
             "SWEEP | prepare CONFIG --out DIR --parts N [key=value ...]",
    .options = options,
    .args_min = 1,
    .args_max = 2,
    .keys = cmd_train_keys,
    .details =
        "The script is a text to read and to change; every start of it goes on where the last "
        "one was. --threads N are the cores of a job. docs/cluster.md says what happens when "
        "a job is preempted, killed, or out of time.",
    .example =
        "kmidi slurm configs/emotion_recognizer.yaml --run-dir runs/long --time 4h --submit\n"
        "kmidi slurm configs/emotion_recognizer.yaml --run-dir runs/long --time 4h --chain 6 "
        "--requeue 0\n"
        "kmidi slurm configs/emotion_recognizer.yaml --run-dir runs/four --ranks 4 --threads 8\n"
        "kmidi slurm sweep configs/dynamics_engine.yaml optim.lr=1e-3,3e-4 train.seed=1..5 --out "
        "runs/rates --time 1h --at-once 4 --submit\n"
        "kmidi slurm runs/rates --submit\n"
        "kmidi slurm prepare configs/data/synth.yaml --out shards/synth --parts 8 --threads 2 "
        "synth.items=100000",
    .run = slurm_run,
};
