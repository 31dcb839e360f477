// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: the memory of a run, to the byte, before it starts.
#include "autograd/plan.h"
#include "base/hw.h"
#include "cmd/cmd.h"
#include "train/job.h"

static const option options[] = {
    {"budget", 0, OPT_BYTES, "SIZE", "the budget to plan for, instead of the configuration's", false},
    {"nodes", 0, OPT_FLAG, NULL, "print every step of the plan", false},
    {0},
};

static void plan_people(cmd *c, const job *j, const trainer_memory *m)
{
    const train_options *o = &j->options;
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
                {"budget", o->budget}};
    char text[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cmd_print(c, "%-28s %12s", rows[i].what, str_human_bytes(rows[i].bytes, text));
    cmd_print(c, "%-28s %12s", "budget from", o->budget_from);
    cmd_print(c, "%-28s %12s", "precision", precision_describe(o->precision));
    trainer_choice t = trainer_chosen(j->trainer);
    cmd_print(c, "%-28s %5lld x %lld", "batch x accumulation", (long long)t.micro_batch, (long long)t.grad_accum);
    cmd_print(c, "%-28s %5d of %d", "segments computed twice", t.recomputed, t.segments);
    if (option_given(c, "nodes")) {
        strbuf table = {0};
        plan_print(trainer_step_plan(j->trainer), &table);
        cmd_print(c, "\n%s", table.s);
        strbuf_free(&table);
    }
}

static json *plan_json(const job *j, const trainer_memory *m)
{
    json *o = json_object();
    json_set_int(o, "peak_bytes", (int64_t)m->peak);
    json_set_int(o, "params_bytes", (int64_t)m->params);
    json_set_int(o, "arena_bytes", (int64_t)m->arena);
    json_set_int(o, "eval_bytes", (int64_t)m->eval);
    json_set_int(o, "loader_bytes", (int64_t)m->loader);
    json_set_int(o, "base_bytes", (int64_t)(m->base + m->libraries));
    json_set_int(o, "budget_bytes", (int64_t)j->options.budget);
    trainer_choice t = trainer_chosen(j->trainer);
    json_set_int(o, "micro_batch", t.micro_batch);
    json_set_int(o, "grad_accum", t.grad_accum);
    json_set_str(o, "recompute", !t.recomputed ? "none" : t.recomputed == t.segments ? "all" : "some");
    json_set_num(o, "step_seconds", t.seconds);
    json_set_str(o, "precision", precision_name(j->options.precision));
    return o;
}

static bool plan_run(cmd *c, err *e)
{
    job_request r = {.config = c->args[0],
                     .overrides = c->overrides,
                     .n_overrides = c->n_overrides,
                     .budget = (uint64_t)option_int(c, "budget", 0),
                     .env = &c->env};
    job *j = job_configure(&r, c->arena, e);
    bool ok = j && cmd_threads(c, j->options.threads, e) && job_plan(j, e);
    if (ok) {
        trainer_memory m = trainer_predict(j->trainer);
        plan_people(c, j, &m);
        cmd_json(c, plan_json(j, &m));
        ok = trainer_fits(j->trainer, e);
    }
    job_close(j);
    return ok;
}

const command cmd_plan = {
    .name = "plan",
    .summary = "Says what memory a training run will take",
    .usage = "CONFIG [--budget SIZE] [key=value ...]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .overrides = true,
    .details = "The run is not started and nothing is written. A run that does not fit is an error that names the smallest budget.",
    .example = "kmidi plan configs/emotion_recognizer.yaml --budget 6GiB train.batch_size=64",
    .run = plan_run,
};
