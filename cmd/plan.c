// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: the memory and the time of a run, before it starts; what else it could be; and a picture.
#include "autograd/plan.h"

#include <string.h>

#include "base/file.h"
#include "base/hw.h"
#include "cmd/cmd.h"
#include "train/job.h"
#include "train/plan_svg.h"

enum { RANKS_MOST = 100000 };

static const option options[] = {
    {"budget", 0, OPT_BYTES, "SIZE", "the budget to plan for, instead of the configuration's",
     false},
    {"ranks", 0, OPT_INT, "N", "of a run that N processes share (docs/cluster.md): what each takes",
     false},
    {"svg", 0, OPT_OUT, "FILE", "draw the memory over a step", false},
    {"measure", 0, OPT_FLAG, NULL, "measure this machine anew, whatever is known of it", false},
    {"nodes", 0, OPT_FLAG, NULL, "print every step of the plan", false},
    {0},
};

// ---- For people

static void print_memory(cmd *c, const job *j, const trainer_memory *m)
{
    const struct {
        const char *what;
        uint64_t bytes;
    } rows[] = {{"program and libraries", m->base},
                {"weights, gradients, moments", m->params},
                {"activations of a step", m->arena},
                {"activations of evaluation", m->eval},
                {"loader", m->loader},
                {"scratch of libraries", m->libraries},
                {"peak", m->peak},
                {"budget", j->options.budget}};
    char text[32], how[48];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cmd_print(c, "%-28s %12s", rows[i].what, str_human_bytes(rows[i].bytes, text));
    cmd_print(c, "%-28s %12s", "budget from", j->options.budget_from);
    if (comm_size(j->r.comm) > 1)
        cmd_print(c, "%-28s %12d, each as above", "ranks", comm_size(j->r.comm));
    if (strstr(j->options.budget_from, "language model"))
        cmd_print(c, "%-28s a model that fills a larger machine leaves less of it (docs/memory.md)",
                  "");
    cmd_print(c, "%-28s %12s", "precision",
              precision_describe(j->options.precision, c->env.kit, how));
}

// ---- The whole run

typedef struct course {
    int64_t per_epoch, steps, evaluations, files;
    double step, seconds; // of a step; of all steps and evaluations
    uint64_t disk;        // of checkpoints, at most
} course;

// last, previous, one that is being written; best; and what is kept by epoch.
static course course_of(const job *j)
{
    const trainer *t = j->trainer;
    const plan *eval = trainer_eval_plan(t);
    course c = {.per_epoch = trainer_steps_per_epoch(t),
                .steps = trainer_total(t),
                .evaluations = trainer_eval_count(t)};
    c.step = trainer_chosen(t).seconds;
    double looks = eval ? (double)c.evaluations * (double)trainer_eval_batches(t) *
                              cost_seconds(&j->costs.ops, eval) / comm_size(j->r.comm)
                        : 0;
    c.seconds = (double)c.steps * c.step + looks;
    c.files = 3 + (eval != NULL) + (j->options.save_every ? j->options.keep_top_k : 0);
    c.disk = (uint64_t)c.files * trainer_file_bytes(t);
    return c;
}

static void print_course(cmd *c, const job *j)
{
    course k = course_of(j);
    char text[32];
    const char *most = j->options.patience ? ", unless it ends early" : "";
    if (!j->shards->train) {
        cmd_print(c, "\nsteps and hours in all: prepare the data first");
        return;
    }
    cmd_print(c, "\n%-28s %12lld", "steps an epoch", (long long)k.per_epoch);
    cmd_print(c, "%-28s %12lld%s", "steps in all", (long long)k.steps, most);
    cmd_print(c, "%-28s %12lld", "evaluations", (long long)k.evaluations);
    cmd_print(c, "%-28s %12s", "time of a step", str_human_time(k.step, text));
    cmd_print(c, "%-28s %12s%s", "time in all", str_human_time(k.seconds, text), most);
    cmd_print(c, "%-28s %12s at most, %lld files", "checkpoints on disk",
              str_human_bytes(k.disk, text), (long long)k.files);
}

// The most that a phase has alive at once.
static uint64_t most_alive(const plan *p, cost_phase phase, arena *a)
{
    const uint64_t *live = plan_live(p, a);
    uint64_t most = 0;
    for (int s = 0; s < p->n_steps; s++)
        if (cost_phase_of(&p->steps[s]) == phase && live[s] > most)
            most = live[s];
    return most;
}

static void print_phases(cmd *c, const job *j)
{
    static const char *const names[COST_PHASES] = {
        [COST_FORWARD] = "forward", [COST_AGAIN] = "computed twice", [COST_BACKWARD] = "backward"};
    const plan *p = trainer_step_plan(j->trainer), *eval = trainer_eval_plan(j->trainer);
    trainer_choice t = trainer_chosen(j->trainer);
    double own = (double)(t.grad_accum / comm_size(j->r.comm));
    cost_phases sum = cost_of(&j->costs.ops, p);
    char text[32];
    cmd_print(c, "\n%-28s %12s %12s", "a step, as predicted", "seconds", "alive");
    for (int i = 0; i < COST_PHASES; i++)
        cmd_print(c, "%-28s %12.4g %12s", names[i], own * sum.seconds[i],
                  str_human_bytes(most_alive(p, (cost_phase)i, c->arena), text));
    cmd_print(c, "%-28s %12.4g", "optimiser", j->costs.update);
    cmd_print(c, "%-28s %12.4g", "all of it", t.seconds);
    if (eval)
        cmd_print(c, "%-28s %12.4g %12s", "a batch of evaluation",
                  cost_seconds(&j->costs.ops, eval), str_human_bytes(plan_bytes(eval), text));
}

static void print_alternatives(cmd *c, const job *j)
{
    const search_result *r = &j->search;
    int64_t taken = trainer_chosen(j->trainer).micro_batch;
    char text[32];
    cmd_print(c, "\n%-16s %16s %6s %12s %12s", "batch x accum.", "computed twice", "kept",
              "seconds", "peak");
    for (int i = 0; i < r->n; i++) {
        const search_plan *p = &r->list[i];
        cmd_print(c, "%6lld x %-7lld %7d of %-5d %6s %12.4g %12s%s",
                  (long long)p->choice.micro_batch, (long long)p->choice.grad_accum,
                  p->choice.recomputed, p->choice.segments, precision_name(p->choice.kept),
                  p->choice.seconds, str_human_bytes(p->memory.peak, text),
                  !p->fits                         ? "  over the budget"
                  : p->choice.micro_batch == taken ? "  taken"
                                                   : "");
    }
}

static void print_nodes(cmd *c, const job *j)
{
    strbuf table = {0};
    plan_print(trainer_step_plan(j->trainer), &table);
    cmd_print(c, "\n%s", table.s);
    strbuf_free(&table);
}

// ---- For scripts

static const char *recomputed(const trainer_choice *t)
{
    return !t->recomputed ? "none" : t->recomputed == t->segments ? "all" : "some";
}

static json *alternatives_json(const job *j)
{
    json *list = json_array();
    for (int i = 0; i < j->search.n; i++) {
        const search_plan *p = &j->search.list[i];
        json *o = json_object();
        json_set_int(o, "micro_batch", p->choice.micro_batch);
        json_set_int(o, "grad_accum", p->choice.grad_accum);
        json_set_str(o, "recompute", recomputed(&p->choice));
        json_set_str(o, "activations", precision_name(p->choice.kept));
        json_set_num(o, "step_seconds", p->choice.seconds);
        json_set_int(o, "peak_bytes", (int64_t)p->memory.peak);
        json_set_bool(o, "fits", p->fits);
        json_push(list, o);
    }
    return list;
}

static void put_course(json *o, const job *j)
{
    course k = course_of(j);
    if (!j->shards->train)
        return;
    json_set_int(o, "steps_per_epoch", k.per_epoch);
    json_set_int(o, "steps", k.steps);
    json_set_int(o, "evaluations", k.evaluations);
    json_set_num(o, "total_seconds", k.seconds);
    json_set_int(o, "checkpoint_bytes", (int64_t)k.disk);
    json_set_int(o, "checkpoint_files", k.files);
}

static json *plan_json(const job *j, const trainer_memory *m)
{
    json *o = json_object();
    trainer_choice t = trainer_chosen(j->trainer);
    json_set_int(o, "peak_bytes", (int64_t)m->peak);
    json_set_int(o, "params_bytes", (int64_t)m->params);
    json_set_int(o, "arena_bytes", (int64_t)m->arena);
    json_set_int(o, "eval_bytes", (int64_t)m->eval);
    json_set_int(o, "loader_bytes", (int64_t)m->loader);
    json_set_int(o, "base_bytes", (int64_t)(m->base + m->libraries));
    json_set_int(o, "budget_bytes", (int64_t)j->options.budget);
    json_set_int(o, "ranks", comm_size(j->r.comm));
    json_set_int(o, "micro_batch", t.micro_batch);
    json_set_int(o, "grad_accum", t.grad_accum);
    json_set_str(o, "recompute", recomputed(&t));
    json_set_str(o, "activations", precision_name(t.kept));
    json_set_int(o, "recomputed", t.recomputed);
    json_set_int(o, "segments", t.segments);
    json_set_num(o, "step_seconds", t.seconds);
    json_set_str(o, "precision", precision_name(j->options.precision));
    put_course(o, j);
    json_set(o, "alternatives", alternatives_json(j));
    return o;
}

// ---- The picture

static bool draw(cmd *c, const job *j, const char *path, err *e)
{
    trainer_choice t = trainer_chosen(j->trainer);
    plan_picture p = {
        .title = arena_printf(
            c->arena, "%s: %lld x %lld items a step, %d of %d segments computed twice%s",
            j->options.model->name, (long long)t.micro_batch, (long long)t.grad_accum, t.recomputed,
            t.segments, t.kept == PRECISION_BF16 ? ", activations kept as bf16" : ""),
        .plan = trainer_step_plan(j->trainer),
        .costs = &j->costs.ops,
        .memory = trainer_predict(j->trainer),
        .budget = j->options.budget};
    strbuf text = {0};
    plan_svg(&p, &text);
    bool ok = file_write(path, text.s, text.len, e);
    strbuf_free(&text);
    return ok;
}

static void report(cmd *c, const job *j)
{
    trainer_memory m = trainer_predict(j->trainer);
    print_memory(c, j, &m);
    print_course(c, j);
    print_phases(c, j);
    print_alternatives(c, j);
    if (option_given(c, "nodes"))
        print_nodes(c, j);
    cmd_json(c, plan_json(j, &m));
}

static bool plan_run(cmd *c, err *e)
{
    job_request r = {.config = c->args[0],
                     .overrides = c->overrides,
                     .n_overrides = c->n_overrides,
                     .budget = (uint64_t)option_int(c, "budget", 0),
                     .measure = option_given(c, "measure"),
                     .env = &c->env};
    const char *svg = option_text(c, "svg", NULL);
    int64_t ranks = option_int(c, "ranks", 1);
    if (ranks < 1 || ranks > RANKS_MOST)
        return err_set(e, ERR_USAGE, "--ranks is a whole number from 1 to %d, not %lld", RANKS_MOST,
                       (long long)ranks);
    r.comm = ranks > 1 ? comm_suppose((int)ranks) : NULL;
    job *j = job_configure(&r, c->arena, e);
    bool ok = j && cmd_threads(c, j->options.threads, e) && job_plan(j, e);
    if (ok) {
        report(c, j);
        ok = (!svg || draw(c, j, svg, e)) && trainer_fits(j->trainer, e);
    }
    job_close(j);
    comm_close(r.comm, ERR_NONE);
    return ok;
}

const command cmd_plan = {
    .name = "plan",
    .summary = "Says what memory and time a training run will take",
    .usage = "CONFIG [--budget SIZE] [--ranks N] [--svg FILE] [--measure] [key=value ...]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .keys = cmd_train_keys,
    .details = "Also how many steps an epoch and the run have, how long they take in all, and "
               "the disk that checkpoints need. The run is not started. A small batch is run "
               "a few times to see how fast this machine is, the first time (docs/memory.md). "
               "A run that does not fit is an error that names the smallest budget.",
    .example = "kmidi plan configs/emotion_recognizer.yaml --budget 6GiB --svg memory.svg "
               "train.batch_size=64",
    .run = plan_run,
};
