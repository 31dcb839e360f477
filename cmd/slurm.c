// SPDX-License-Identifier: GPL-3.0-or-later
// slurm.c: a command as a job of Slurm: a batch script for a run or for the parts of a dataset.
#include "base/slurm.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/slurm_script.h"
#include "data/prepare/prepare.h"
#include "train/job.h"

enum { TASKS_MOST = 1000000, MARGIN = 120, MARGIN_MOST = 65535, REQUEUES = 50 };

static const option options[] = {
    {"run-dir", 0, OPT_TEXT, "DIR", "of a configuration: the run's folder", false},
    {"out", 'o', OPT_TEXT, "DIR", "of prepare: where the shards go", false},
    {"parts", 0, OPT_INT, "N", "of prepare: an array of N jobs, and one that merges", false},
    {"chain", 0, OPT_INT, "N",
     "N jobs, one after the other, for a run that is longer than a job may be", false},
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

static bool in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi, int *out,
                     err *e)
{
    int64_t n = option_int(c, name, fallback);
    *out = (int)n;
    return (n >= lo && n <= hi) ||
           err_set(e, ERR_USAGE, "--%s takes a number from %lld to %lld, not %lld", name,
                   (long long)lo, (long long)hi, (long long)n);
}

// ---- What all jobs have

static bool take_time(cmd *c, slurm_script *s, err *e)
{
    const char *text = option_text(c, "time", NULL);
    int fallback = MARGIN;
    s->time = text ? slurm_time(text, c->arena) : NULL;
    if (text && !s->time)
        return err_set(e, ERR_USAGE,
                       "--time takes minutes, or a time such as 4h, 1d12h or 1-12:00:00, not '%s'",
                       text);
    double all = s->time ? slurm_seconds(s->time) : INFINITY;
    if (all / 3 < fallback)
        fallback = (int)fmax(all / 3, 1);
    if (!in_range(c, "margin", fallback, 1, MARGIN_MOST, &s->margin, e))
        return false;
    return s->margin < all || err_set(e, ERR_USAGE,
                                      "--margin %d leaves nothing of --time %s; give a job more "
                                      "time than it needs for saving",
                                      s->margin, text);
}

static bool take_extra(cmd *c, slurm_script *s, err *e)
{
    const char **list = NEW(c->arena, const char *, CMD_OPTIONS), *text;
    for (; (text = option_each(c, "sbatch", s->n_extra)); s->n_extra++) {
        if (*text != '-' || strpbrk(text, "\r\n"))
            return err_set(e, ERR_USAGE,
                           "--sbatch takes one option of sbatch, such as --sbatch --account=x, not "
                           "'%s'",
                           text);
        list[s->n_extra] = text;
    }
    s->extra = list;
    return true;
}

// Letters, digits and a few signs of the folder's name.
static const char *job_name(const char *dir, arena *a)
{
    char *name = arena_printf(a, "kmidi-%s", path_base(dir));
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            *p = '-';
    return name;
}

// "%" in names is Slurm's own.
static const char *log_name(const char *stem, const char *pattern, arena *a)
{
    strbuf out = {0};
    for (const char *p = stem; *p; p++)
        strbuf_printf(&out, *p == '%' ? "%%%%" : "%c", *p);
    strbuf_printf(&out, ".%s.out", pattern);
    const char *text = arena_strdup(a, out.s);
    strbuf_free(&out);
    return text;
}

static bool take_common(cmd *c, const char *dir, slurm_script *s, err *e)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    const char *plain = arena_printf(c->arena, "%.*s", (int)n, dir);
    s->path = option_text(c, "script", arena_printf(c->arena, "%s.sbatch", plain));
    s->name = job_name(plain, c->arena);
    s->log = log_name(plain, s->tasks ? "%A_%a" : "%j", c->arena);
    s->partition = option_text(c, "partition", NULL);
    s->memory = (uint64_t)option_int(c, "mem", (int64_t)s->memory);
    if (option_given(c, "mem") && (s->memory < 1 << 20 || s->memory > UINT64_C(1) << 50))
        return err_set(e, ERR_USAGE, "--mem takes a size such as 6GiB, not '%s'",
                       option_text(c, "mem", ""));
    return in_range(c, "threads", s->cpus, 1, 1024, &s->cpus, e) &&
           in_range(c, "at-once", s->at_once, s->at_once, TASKS_MOST, &s->at_once, e) &&
           in_range(c, "requeue", REQUEUES, 0, TASKS_MOST, &s->requeues, e) && take_time(c, s, e) &&
           take_extra(c, s, e);
}

// Of this command alone: what another kind of job takes is refused.
static bool only_for(cmd *c, const char *kind, const char *const *names, err *e)
{
    for (int i = 0; names[i]; i++)
        if (option_given(c, names[i]))
            return err_set(e, ERR_USAGE, "--%s is not for %s", names[i], kind);
    return true;
}

static void add_words(strbuf *out, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        strbuf_printf(out, " ");
        strbuf_quote(out, words[i]);
    }
}

static const char *taken(strbuf *out, arena *a)
{
    const char *text = arena_strdup(a, out->s);
    strbuf_free(out);
    return text;
}

static bool submit(cmd *c, const slurm_script *s, const char *after, const char **id, err *e)
{
    const char *line = slurm_submit_command(s->path, after, c->arena);
    *id = NULL;
    if (option_given(c, "submit") && !(*id = slurm_submit(c, s->path, after, e)))
        return false;
    if (*id)
        cmd_print(c, "job %s: %s", *id, s->what);
    else
        cmd_print(c, "%s", line);
    json *j = json_object();
    json_set_str(j, "script", s->path);
    json_set_str(j, "command", line);
    if (*id)
        json_set_str(j, "job", *id);
    cmd_json(c, j);
    return true;
}

// ---- A run

static const char *train_arguments(cmd *c, const char *dir)
{
    strbuf out = {0};
    const char *const begin[] = {c->args[0], "--run-dir", dir, "--resume", "auto"};
    strbuf_printf(&out, "train");
    add_words(&out, begin, 5);
    strbuf_printf(&out, " --threads \"$SLURM_CPUS_PER_TASK\"");
    add_words(&out, c->overrides, c->n_overrides);
    return taken(&out, c->arena);
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
    job_close(j);
    return true;
}

static bool slurm_train(cmd *c, err *e)
{
    static const char *const others[] = {"out", "parts", NULL};
    const char *dir = option_text(c, "run-dir", NULL), *id;
    slurm_script s = {0};
    if (!only_for(c, "a run", others, e))
        return false;
    if (!dir)
        return err_set(e, ERR_USAGE,
                       "name the run's folder, in which every start of the job goes on: --run-dir "
                       "runs/NAME");
    if (option_given(c, "chain") && !in_range(c, "chain", 0, 1, TASKS_MOST, &s.tasks, e))
        return false;
    if (s.tasks && option_given(c, "at-once"))
        return err_set(e, ERR_USAGE, "--chain is one job at a time; leave --at-once out");
    s.at_once = s.tasks ? 1 : 0;
    if (!check_run(c, dir, &s, e) || !take_common(c, dir, &s, e))
        return false;
    s.what = s.tasks ? arena_printf(c->arena, "%d jobs, one after the other, for the run %s",
                                    s.tasks, str_quoted(c->arena, dir))
                     : arena_printf(c->arena, "the run %s", str_quoted(c->arena, dir));
    s.arguments = train_arguments(c, dir);
    return slurm_script_write(&s, option_given(c, "overwrite"), c->arena, e) &&
           submit(c, &s, NULL, &id, e);
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
    add_words(&out, begin, 3);
    strbuf_printf(&out, " --jobs \"$SLURM_CPUS_PER_TASK\"%s", part);
    add_words(&out, c->overrides, c->n_overrides);
    return taken(&out, c->arena);
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
    m.log = log_name(arena_printf(a, "%.*s-merge", stem, s->path), "%j", a);
    m.arguments = prepare_arguments(c, dir, arena_printf(a, " --merge=%d", parts));
    return m;
}

static bool slurm_prepare(cmd *c, err *e)
{
    static const char *const others[] = {"run-dir", "chain", NULL};
    const char *dir = option_text(c, "out", NULL), *array, *merged;
    slurm_script s = {.cpus = 4}, m;
    bool over = option_given(c, "overwrite");
    if (!only_for(c, "prepare", others, e))
        return false;
    if (c->n_args < 2 || !dir || !option_given(c, "parts"))
        return err_set(e, ERR_USAGE,
                       "prepare needs three things: kmidi slurm prepare CONFIG --out "
                       "DIR --parts N");
    if (!in_range(c, "parts", 0, 1, TASKS_MOST, &s.tasks, e) || !check_prepare(c, e) ||
        !take_common(c, dir, &s, e))
        return false;
    s.what = arena_printf(c->arena, "%d parts of %s", s.tasks, str_quoted(c->arena, dir));
    s.arguments = prepare_arguments(
        c, dir, arena_printf(c->arena, " --shard \"$SLURM_ARRAY_TASK_ID/%d\"", s.tasks));
    m = merge_of(c, &s, dir, s.tasks);
    return slurm_script_write(&s, over, c->arena, e) && slurm_script_write(&m, over, c->arena, e) &&
           submit(c, &s, NULL, &array, e) && submit(c, &m, array ? array : "JOB", &merged, e);
}

static bool slurm_run(cmd *c, err *e)
{
    if (!strcmp(c->args[0], "prepare"))
        return slurm_prepare(c, e);
    if (c->n_args > 1)
        return err_set(e, ERR_USAGE, "'%s' is one argument too many; usage: kmidi slurm %s",
                       c->args[1], c->self->usage);
    return slurm_train(c, e);
}

const command cmd_slurm = {
    .name = "slurm",
    .summary = "Writes a batch script for Slurm, and hands it in",
    .usage = "CONFIG --run-dir DIR [key=value ...] | prepare CONFIG --out DIR --parts N "
             "[key=value ...]",
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
        "kmidi slurm prepare configs/data/synth.yaml --out shards/synth --parts 8 --threads 2 "
        "synth.items=100000",
    .run = slurm_run,
};
