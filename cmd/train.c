// SPDX-License-Identifier: GPL-3.0-or-later
// train.c: trains a model as a configuration says; stops, saves and goes on when asked.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hw.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/training.h"

static const option options[] = {
    {"run-dir", 0, OPT_TEXT, "DIR", "the run folder (default: runs/NAME-TIME)", false},
    {"resume", 0, OPT_TEXT, "RUN",
     "go on with this run (or one of its checkpoints) exactly where it was saved; auto: with "
     "--run-dir, or begin there",
     false},
    {"overwrite", 0, OPT_FLAG, NULL, "replace the run that --run-dir holds", false},
    {"profile", 0, OPT_COUNT, "N",
     "where the time of a step goes, the mean of N (10): profile.txt, trace.json in the run folder",
     false},
    {0},
};

typedef struct view {
    cmd *c;
    progress *line;
    double looked; // hw_seconds of the last look at the memory
    char rss[32];
} view;

static void on_tick(void *user, const trainer_tick *t)
{
    view *v = user;
    double now = hw_seconds();
    if (!v->line)
        return;
    if (now - v->looked > 1) {
        v->looked = now;
        str_human_bytes(hw_rss(), v->rss);
    }
    progress_at(v->line, (uint64_t)t->step,
                "epoch %.2f  loss %.4f  lr %.2e  %.4g items/s  waiting %.1f%%  %s", t->epoch,
                t->loss, t->lr, t->samples_per_s, 100 * t->wait_share, v->rss);
}

static bool on_save_asked(void *user)
{
    (void)user;
    return cmd_take_save();
}

static void train_report(cmd *c, const job *j, const trainer_result *r)
{
    json *o = json_object();
    json_set_str(o, "run", j->run_dir);
    json_set_int(o, "steps", r->steps);
    json_set_num(o, "steps_per_s", r->steps_per_s);
    json_set_num(o, "samples_per_s", r->samples_per_s);
    json_set_num(o, "wait_share", r->wait_share);
    json_set_num(o, "best", r->best);
    json_set_num(o, "last_loss", r->last_loss);
    json_set_int(o, "predicted_peak", (int64_t)r->predicted_peak);
    json_set_int(o, "measured_peak", (int64_t)r->measured_peak);
    cmd_json(c, o);
    if (!r->stopped)
        cmd_print(c, "%s", j->run_dir);
}

// As many threads as asked for; of ranks that share cores never more than these have together.
static bool open_threads(cmd *c, comm *ranks, int asked, err *e)
{
    if (comm_size(ranks) == 1)
        return cmd_threads(c, asked, e);
    int cores = comm_cores(ranks), here = comm_here(ranks);
    int64_t n = option_int(c, "threads", asked > 0 ? asked : cores);
    if (n > cores)
        log_say(c->env.log, LOG_WARN,
                "%d ranks here with %lld threads each are more than the cores that they may use; "
                "each takes %d",
                here, (long long)n, cores);
    if (here > hw_cores() && cores == 1)
        log_say(c->env.log, LOG_WARN, "%d ranks here share %d core%s; start fewer", here,
                hw_cores(), hw_cores() == 1 ? "" : "s");
    c->env.pool = threads_open((int)(n < cores ? n : cores), e);
    return c->env.pool != NULL;
}

static bool train_through(cmd *c, job *j, view *v, err *e)
{
    trainer_result r;
    if (!job_open(j, e) || !job_begin(j, e))
        return false;
    if (j->folder)
        v->line = progress_open(c, "train", (uint64_t)trainer_total(j->trainer));
    if (v->line)
        progress_start_at(v->line, (uint64_t)trainer_state(j->trainer)->step);
    bool ok = job_run(j, &r, e);
    progress_close(v->line);
    v->line = NULL;
    if (!ok)
        return false;
    if (j->folder)
        train_report(c, j, &r);
    if (r.stopped)
        return err_set(e, ERR_STOPPED, "%s at step %lld; go on with: kmidi train --resume %s",
                       r.why, (long long)r.steps,
                       str_quoted(c->arena, j->run_dir ? j->run_dir : "RUN"));
    return true;
}

static void add_word(strbuf *s, const char *before, const char *word)
{
    strbuf_printf(s, "%s", before);
    strbuf_quote(s, word);
}

// For environment.json: what a person would type into a shell to have the same.
static const char *command_line(cmd *c)
{
    strbuf s = {0};
    strbuf_printf(&s, "kmidi train");
    for (int i = 0; i < c->n_args; i++)
        add_word(&s, " ", c->args[i]);
    for (int i = 0; i < c->n_values; i++) {
        const option_value *v = &c->values[i];
        bool flag = v->option->type == OPT_FLAG || (v->option->type == OPT_COUNT && !*v->text);
        strbuf_printf(&s, " --%s", v->option->name);
        if (!flag)
            add_word(&s, v->option->type == OPT_COUNT ? "=" : " ", v->text);
    }
    for (int i = 0; i < c->n_overrides; i++)
        add_word(&s, " ", c->overrides[i]);
    return strbuf_keep(&s, c->arena);
}

// Of several processes one speaks for all.
bool training(cmd *c, job_request *r, err *e)
{
    view v = {.c = c};
    r->env = &c->env, r->tick = on_tick, r->save_asked = on_save_asked, r->user = &v;
    if (!comm_open(&c->ranks, e))
        return false;
    r->comm = c->ranks;
    comm_poll(r->comm, c->env.stop, c->env.user);
    if (comm_rank(r->comm))
        c->env.log = NULL;
    job *j = job_configure(r, c->arena, e);
    bool ok = comm_agree(r->comm, j != NULL, e) && job_meet(j, e);
    if (ok && j->done) {
        if (comm_rank(r->comm))
            return true;
        cmd_say(c, "'%s' is done, after %lld steps; there is nothing to go on with", j->run_dir,
                (long long)j->ended.steps);
        train_report(c, j, &j->ended);
        return true;
    }
    ok = ok && comm_agree(r->comm, open_threads(c, r->comm, j->options.threads, e), e) &&
         train_through(c, j, &v, e);
    job_close(j);
    return ok;
}

static bool train_run(cmd *c, err *e)
{
    job_request r = {.config = c->n_args ? c->args[0] : NULL,
                     .overrides = c->overrides,
                     .n_overrides = c->n_overrides,
                     .run_dir = option_text(c, "run-dir", NULL),
                     .resume = option_text(c, "resume", NULL),
                     .overwrite = option_given(c, "overwrite"),
                     .command = command_line(c),
                     .profile_steps = option_count(c, "profile", PROFILE_STEPS)};
    r.automatic = r.resume && !strcmp(r.resume, "auto");
    if (r.automatic && !r.run_dir)
        return err_set(e, ERR_USAGE,
                       "--resume auto goes on in --run-dir DIR, or begins there; name it (a run "
                       "called auto: --resume ./auto)");
    if (r.resume && !r.automatic && r.run_dir && strcmp(r.resume, r.run_dir))
        return err_set(e, ERR_USAGE,
                       "--resume goes on in the run's own folder; leave --run-dir out, or begin a "
                       "new run with init_from=%s",
                       str_quoted(c->arena, r.resume));
    if (r.resume && r.overwrite)
        return err_set(e, ERR_USAGE, "--resume and --overwrite do not go together");
    if (r.automatic)
        r.resume = NULL;
    return training(c, &r, e);
}

const config_table *cmd_train_keys(arena *a)
{
    (void)a;
    return &train_table;
}

static void train_keys(strbuf *out)
{
    strbuf_printf(out, "Keys of CONFIG, and of key=value behind it [default]:\n");
    config_help(&train_table, out);
}

const command cmd_train = {
    .name = "train",
    .summary = "Trains a model as a configuration says",
    .usage = "CONFIG [--run-dir DIR [--resume auto]] [key=value ...] | --resume RUN",
    .options = options,
    .args_max = 1,
    .keys = cmd_train_keys,
    .polls_stop = true,
    .resumable = true,
    .details = "Ctrl-C (or SIGTERM) saves after the micro-batch under way, and prints how to "
               "go on; a second Ctrl-C leaves at once. SIGUSR1, or a file named SAVE in the "
               "run folder, saves and goes on.",
    .more = train_keys,
    .example = "kmidi train configs/emotion_recognizer.yaml optim.lr=3e-4 --run-dir "
               "runs/first\nkmidi train --resume runs/first\n"
               "kmidi train configs/emotion_recognizer.yaml --run-dir runs/batch --resume auto",
    .run = train_run,
};
