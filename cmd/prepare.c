// SPDX-License-Identifier: GPL-3.0-or-later
// prepare.c: makes shards of a dataset; what it left undone, the next call does.
#include "data/prepare/prepare.h"

#include <stdio.h>
#include <string.h>

#include "base/slurm.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"

static const option options[] = {
    {"out", 'o', OPT_TEXT, "DIR", "where the shards and rejected.jsonl go", true},
    {"jobs", 'j', OPT_INT, "N", "worker processes (default: one a core)", false},
    {"shard", 0, OPT_TEXT, "k/n",
     "make only the k-th of n parts of the shards, k from 1 to n: for n machines that share DIR; "
     "auto: as the task of an array of jobs that this is",
     false},
    {"merge", 0, OPT_COUNT, "N",
     "make nothing: check that all shards (of the N parts) are there, and write DIR/summary.json",
     false},
    {0},
};

static bool parse_part(const char *text, prepare_job *job, err *e)
{
    char rest;
    if (!strcmp(text, "auto"))
        return slurm_task(&job->part, &job->parts, e) || err_trail(e, "--shard auto");
    if (sscanf(text, "%d/%d%c", &job->part, &job->parts, &rest) == 2 && job->part >= 1 &&
        job->part <= job->parts && job->parts <= 1000000)
        return true;
    return err_set(e, ERR_USAGE, "--shard takes k/n with k from 1 to n, such as 1/4, not '%s'",
                   text);
}

// How much there is to do is known once the index was read.
typedef struct view {
    cmd *c;
    const char *stage;
    progress *line;
} view;

static void told(void *user, const char *stage, uint64_t done, uint64_t total, uint64_t rejected)
{
    view *v = user;
    if (!v->line || strcmp(v->stage, stage) != 0) {
        progress_close(v->line);
        v->line = progress_open(v->c, stage, total);
        v->stage = stage;
    }
    progress_at(v->line, done, "%llu rejected", (unsigned long long)rejected);
}

// "3 damaged, 1 crash"
static const char *reasons(cmd *c, const prepare_report *r)
{
    const char *all = "";
    for (int i = 0; i < ERR_CODES; i++)
        if (r->reasons[i])
            all = arena_printf(c->arena, "%s%s%llu %s", all, *all ? ", " : "",
                               (unsigned long long)r->reasons[i], err_name((err_code)i));
    return all;
}

static void say(cmd *c, const prepare_report *r)
{
    cmd_print(c,
              "%llu items prepared, %llu rejected, %zu labels, in %llu shards (%llu made, %llu "
              "there already)",
              (unsigned long long)r->prepared, (unsigned long long)r->rejected, r->labels,
              (unsigned long long)(r->shards - r->shards_missing),
              (unsigned long long)r->shards_made, (unsigned long long)r->shards_kept);
    if (r->copies)
        cmd_print(c, "%llu augmented copies stand beside them in the training split",
                  (unsigned long long)r->copies);
    if (r->rejected)
        cmd_print(c, "rejected: %s", reasons(c, r));
    for (int k = 0; k < CLIP_MARKS; k++)
        if (r->marks[k])
            cmd_print(c, "%llu of the recordings: %s", (unsigned long long)r->marks[k],
                      clip_mark_text((clip_mark)k));
    if (r->outlasting)
        cmd_print(c,
                  "%llu of the pairs: the MIDI ends more than %d seconds behind the sound; is that "
                  "an excerpt, or of other music?",
                  (unsigned long long)r->outlasting, PREPARE_OUTLASTS);
    if (r->duplicates)
        cmd_print(c, "%llu items left out of a split: the same content is in another one",
                  (unsigned long long)r->duplicates);
    if (r->behind_end)
        cmd_print(c, "%llu note%s of %llu file%s behind the end of a track: not read",
                  (unsigned long long)r->behind_end, r->behind_end == 1 ? "" : "s",
                  (unsigned long long)r->behind_end_files, r->behind_end_files == 1 ? "" : "s");
    if (r->shards_missing)
        cmd_print(c, "%llu shards are other parts' (--shard)",
                  (unsigned long long)r->shards_missing);
    if (r->shards_removed)
        cmd_print(c, "%llu shards of an earlier run removed",
                  (unsigned long long)r->shards_removed);
}

static void tell_json(cmd *c, const prepare_report *r)
{
    json *j = json_object();
    prepare_counts(r, j);
    static const char *const marks[CLIP_MARKS] = {"unfinished", "cancelling", "silent", "brief"};
    for (int k = 0; k < CLIP_MARKS; k++)
        if (r->marks[k])
            json_set_int(j, marks[k], (int64_t)r->marks[k]);
    if (r->outlasting)
        json_set_int(j, "midi_outlasts_sound", (int64_t)r->outlasting);
    json_set_num(j, "seconds", r->seconds);
    json_set_num(j, "items_per_s", r->seconds > 0 ? (double)r->made / r->seconds : 0);
    json_set_int(j, "duplicates", (int64_t)r->duplicates);
    json_set_int(j, "notes_behind_end_of_track", (int64_t)r->behind_end);
    json_set_int(j, "labels", (int64_t)r->labels);
    json_set_int(j, "shards", (int64_t)r->shards);
    json_set_int(j, "shards_made", (int64_t)r->shards_made);
    json_set_int(j, "shards_kept", (int64_t)r->shards_kept);
    cmd_json(c, j);
}

static bool load(cmd *c, config **out, err *e)
{
    config *k = *out = config_open(prepare_table(c->arena), c->arena);
    if (!config_load(k, c->args[0], e))
        return false;
    for (int i = 0; i < c->n_overrides; i++)
        if (!config_override(k, c->overrides[i], e))
            return false;
    return config_finish(k, e);
}

static bool run(cmd *c, err *e)
{
    prepare_job job = {.out = option_text(c, "out", NULL), .part = 1, .parts = 1, .told = told};
    prepare_report report = {0};
    config *k;
    int64_t jobs = option_int(c, "jobs", option_int(c, "threads", 0));
    if (jobs < 0 || jobs > 1024)
        return err_set(e, ERR_USAGE, "--jobs takes a number from 1 to 1024, not %lld",
                       (long long)jobs);
    if (option_given(c, "shard") && option_given(c, "merge"))
        return err_set(e, ERR_USAGE,
                       "--shard makes a part and --merge makes none; merge once all parts are "
                       "made: --merge, or --merge=N to have the missing ones of N named");
    if (option_given(c, "shard") && !parse_part(option_text(c, "shard", ""), &job, e))
        return false;
    job.merge = option_given(c, "merge");
    job.merge_parts = option_count(c, "merge", 0);
    if (!load(c, &k, e))
        return false;
    job.jobs = (int)jobs;
    view v = {.c = c};
    job.user = &v;
    bool ok = prepare_run(k, &job, &c->env, &report, e);
    progress_close(v.line);
    if (ok || report.rejected)
        say(c, &report);
    tell_json(c, &report);
    return ok;
}

static void keys(strbuf *out)
{
    arena a = {.name = "help"};
    config_help(prepare_table(&a), out);
    arena_free(&a);
}

const command cmd_prepare = {
    .name = "prepare",
    .summary = "Makes feature shards of a dataset",
    .usage = "CONFIG --out DIR [--jobs N] [--shard k/n | --merge] [key=value ...]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .keys = prepare_table,
    .polls_stop = true,
    .resumable = true,
    .details = "Reads the dataset that CONFIG names and writes DIR/SPLIT-00000.h5 and so on. "
               "A file that can't be read is named in DIR/rejected.jsonl. Shards that are "
               "there and were made from the same files and settings are kept, so the same "
               "command continues one that was stopped.",
    .more = keys,
    .example = "kmidi prepare configs/data/emodb.yaml --out shards/emodb root=/data/emodb\n"
               "kmidi prepare configs/data/folder.yaml --out shards/mine root=/my/music\n"
               "kmidi prepare configs/data/synth.yaml --out shards/synth synth.items=1000",
    .run = run,
};
