// SPDX-License-Identifier: GPL-3.0-or-later
// options.c: what of a training configuration is a decision and no plain value: budgets, sizes of
// models, defaults that depend on other keys, and what contradicts itself. To add a key: a field in
// options.h and a row in options_keys.c.
#include "train/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

#define GIB(n) ((uint64_t)(n) << 30)

static const train_profile profiles[] = {
    {"16gb", "16gb less 8.5 GB of a language model", GIB(16), GIB(12), GIB(7)},
    {"24gb", "24gb less 16.5 GB of a language model", GIB(24), GIB(18), GIB(7)},
    {"48gb", "48gb less 45.5 GB of a language model", GIB(48), GIB(40), GIB(2)},
};
enum { N_PROFILES = sizeof profiles / sizeof *profiles };

// A "16 GB" machine reports a little less than 16 GiB.
static bool is_machine(const train_profile *p, uint64_t limit)
{
    return limit >= p->machine / 10 * 9;
}

const train_profile *train_profile_at(int i)
{
    return i >= 0 && i < N_PROFILES ? &profiles[i] : NULL;
}

const train_profile *train_profile_of(uint64_t memory_limit)
{
    int i = N_PROFILES - 1;
    while (i >= 0 && !is_machine(&profiles[i], memory_limit))
        i--;
    return train_profile_at(i);
}

// A machine smaller than the smallest profile gives three quarters of what it has.
static void auto_budget(train_options *o, uint64_t limit, bool beside)
{
    const train_profile *p = train_profile_of(limit);
    o->budget = !p ? limit / 4 * 3 : beside ? p->beside : p->alone;
    o->budget_from = !p ? "three quarters of this machine" : beside ? p->with : p->name;
}

static bool refuse_profile(const config *c, const train_profile *p, uint64_t limit, bool beside,
                           err *e)
{
    char has[32];
    return err_set(e, ERR_CONFIG,
                   "%s: memory.profile=%s is for a machine of %d GB, and this process may use %s; "
                   "take memory.profile=auto, or set what it "
                   "may use itself: memory.budget=%dGiB",
                   config_where(c, "memory.profile"), p->name, (int)(p->machine >> 30),
                   str_human_bytes(limit, has), (int)((beside ? p->beside : p->alone) >> 30));
}

static bool read_budget(const config *c, uint64_t limit, train_options *o, err *e)
{
    bool beside = config_bool(c, "memory.beside_llm");
    const char *name = config_text(c, "memory.profile");
    if (config_given(c, "memory.budget")) {
        o->budget = config_bytes(c, "memory.budget");
        o->budget_from = "memory.budget";
        return true;
    }
    for (int i = 0; i < N_PROFILES; i++)
        if (!strcmp(profiles[i].name, name)) {
            o->budget = beside ? profiles[i].beside : profiles[i].alone;
            o->budget_from = beside ? profiles[i].with : name;
            return is_machine(&profiles[i], limit) ||
                   refuse_profile(c, &profiles[i], limit, beside, e);
        }
    auto_budget(o, limit, beside);
    return true;
}

static bool read_split(const config *c, train_options *o, err *e)
{
    const char *text = config_text(c, "memory.micro_batch");
    int64_t whole = o->batch_size * o->grad_accum;
    char *end = NULL;
    if (!strcmp(text, "auto"))
        return true;
    o->micro_batch = strtoll(text, &end, 10);
    // A step of fewer rows than a batch takes divisors of theirs, which only the data tell.
    if (o->micro_batch > 0 && !*end &&
        (o->micro_batch < o->batch_size || whole % o->micro_batch == 0))
        return true;
    return err_set(e, ERR_CONFIG,
                   "%s: 'memory.micro_batch' is auto or a divisor of the effective batch of %lld x "
                   "%lld = %lld, not '%s'",
                   config_where(c, "memory.micro_batch"), (long long)o->batch_size,
                   (long long)o->grad_accum, (long long)whole, text);
}

bool train_bound(const train_options *o)
{
    return o->model->batch_statistics && !o->lora.r;
}

static bool read_statistics(const config *c, const train_options *o, err *e)
{
    if (!train_bound(o))
        return true;
    if (o->batch_size < 2)
        return err_set(
            e, ERR_CONFIG,
            "%s: 'train.batch_size' is 1, and %s takes means and variances over a batch: "
            "one item has no variance of its own; set it to 2 or more (16 is usual)",
            config_where(c, "train.batch_size"), o->model->name);
    return !o->micro_batch || o->micro_batch == o->batch_size ||
           err_set(
               e, ERR_CONFIG,
               "%s: 'memory.micro_batch' is %lld, but %s takes means and variances over what is "
               "computed at once; leave it at auto, which is train.batch_size (%lld) for it, "
               "and split the step by train.grad_accum",
               config_where(c, "memory.micro_batch"), (long long)o->micro_batch, o->model->name,
               (long long)o->batch_size);
}

static bool read_model(const config *c, train_options *o, err *e)
{
    o->model = model_named(config_text(c, "model"), e);
    if (!o->model && e)
        e->code = ERR_CONFIG;
    return o->model || err_trail(e, "%s", config_where(c, "model"));
}

// "layers=4 cross=0": what the configuration says of the model's options, as model_configure reads
// it.
static bool read_sizes(const config *c, train_options *o, arena *a, err *e)
{
    strbuf text = {0};
    const char *where = NULL;
    for (int i = 0; i < o->model->n_options; i++) {
        const config_key *k = &o->model->options[i];
        const double *list;
        if (k->type == CONFIG_SECTION || !config_given(c, k->name))
            continue;
        where = config_where(c, k->name);
        strbuf_printf(&text, "%s%s=", text.len ? " " : "", key_leaf(k->name));
        size_t n = k->type == CONFIG_NUMBERS ? config_nums(c, k->name, &list) : 0;
        for (size_t j = 0; j < n; j++)
            strbuf_printf(&text, "%s%.17g", j ? "," : "", list[j]);
        if (k->type == CONFIG_INT)
            strbuf_printf(&text, "%lld", (long long)config_int(c, k->name));
    }
    o->sized = text.len > 0;
    const model_def *made = model_configure(o->model, text.s, a, e);
    strbuf_free(&text);
    if (!made && e)
        e->code = ERR_CONFIG;
    if (!made)
        return err_trail(e, "%s", where);
    o->model = made;
    return true;
}

// What the optimiser has by itself where the configuration says nothing.
static void choose_curves(const config *c, train_options *o)
{
    o->optim = optim_find(config_text(c, "optim.name"));
    o->schedule.curve = schedule_find(config_text(c, "schedule.name"));
    CHECK(o->optim && o->schedule.curve);
    o->hyper = o->optim->defaults;
}

static bool check_curves(const config *c, const train_options *o, err *e)
{
    if (o->hyper.nesterov && o->hyper.momentum <= 0)
        return err_set(e, ERR_CONFIG, "%s: 'optim.nesterov' needs an 'optim.momentum' above 0",
                       config_where(c, "optim.nesterov"));
    if (o->schedule.warmup_steps && o->schedule.warmup_epochs > 0)
        return err_set(
            e, ERR_CONFIG,
            "%s: 'schedule.warmup_steps' and 'schedule.warmup_epochs' are both set; keep one",
            config_where(c, "schedule.warmup_steps"));
    return true;
}

static bool check_transposition(const config *c, err *e)
{
    static const char key[] = "data.augment.transpose";
    const double *by;
    CHECK(config_nums(c, key, &by) == 2);
    if (by[0] == floor(by[0]) && by[1] == floor(by[1]))
        return true;
    return err_set(e, ERR_CONFIG, "%s: '%s' counts whole semitones, not [%g, %g]",
                   config_where(c, key), key, by[0], by[1]);
}

static bool has_val(const char *folder)
{
    arena a = {.name = "options"};
    size_t n;
    file_list(&a, folder, "val-*.h5", &n);
    arena_free(&a);
    return n > 0;
}

// A folder that is given on the command line brings its own shards to evaluate on, or none, where
// these are not given there too.
static void choose_data(const config *c, train_options *o)
{
    const key_texts *train = &o->data.train;
    if (train->n == 1 && file_is_folder(train->list[0]) &&
        str_starts(config_where(c, "data.train"), "override") &&
        !str_starts(config_where(c, "data.val"), "override"))
        o->data.val = (key_texts){train->list, has_val(train->list[0])};
    if (!config_given(c, "data.eval_views"))
        o->data.eval_views = config_given(c, "data.eval_crop");
}

// Which metrics a task has (metrics.h), to refuse a monitor that never comes.
static bool check_monitor(const config *c, const train_options *o, err *e)
{
    static const char *const of_task[] = {[TASK_CLASSES] = "loss accuracy macro_f1 uar",
                                          [TASK_GROUPS] = "loss accuracy macro_f1 uar",
                                          [TASK_TOKENS] = "loss accuracy perplexity",
                                          [TASK_REGRESSION] = "loss mse mae",
                                          [TASK_CLOUDS] = "loss chamfer colours"};
    if (!strstr(of_task[o->model->task], o->monitor))
        return err_set(e, ERR_CONFIG, "%s: %s has no '%s' to monitor; it has %s",
                       config_where(c, "train.early_stopping.monitor"), o->model->name, o->monitor,
                       of_task[o->model->task]);
    return true;
}

static bool check_run(const config *c, const train_options *o, err *e)
{
    if (o->thermal_pause > 0 && o->thermal_resume >= o->thermal_pause)
        return err_set(e, ERR_CONFIG, "%s: 'train.thermal.resume' must be below %g, where it waits",
                       config_where(c, config_given(c, "train.thermal.resume")
                                           ? "train.thermal.resume"
                                           : "train.thermal.pause"),
                       o->thermal_pause);
    if (o->patience && !o->data.val.n)
        return err_set(e, ERR_CONFIG, "%s: early stopping needs 'data.val' to look at",
                       config_where(c, "train.early_stopping.patience"));
    if (o->run_name && (strchr(o->run_name, '/') || *o->run_name == '.'))
        return err_set(e, ERR_CONFIG, "%s: 'run_name' must be a plain name; --run-dir takes a path",
                       config_where(c, "run_name"));
    return true;
}

bool train_options_read(const config *c, uint64_t memory_limit, train_options *o, arena *a, err *e)
{
    *o = (train_options){0};
    if (!read_model(c, o, e) || !read_sizes(c, o, a, e))
        return false;
    choose_curves(c, o);
    if (!train_options_fill(c, o, e) || !check_curves(c, o, e) || !check_monitor(c, o, e) ||
        !train_options_lora(c, o, e) || !check_transposition(c, e))
        return false;
    choose_data(c, o);
    return read_budget(c, memory_limit, o, e) && read_split(c, o, e) && read_statistics(c, o, e) &&
           check_run(c, o, e);
}

bool train_options_resumable(const config *old, const config *now, err *e)
{
    const config_key *k;
    for (size_t i = 0; (k = config_at(&train_table, i)); i++) {
        char was[200], is[200];
        if (k->type == CONFIG_SECTION || config_resumable(&train_table, k))
            continue;
        config_show(old, k->name, was, sizeof was);
        config_show(now, k->name, is, sizeof is);
        if (strcmp(was, is))
            return err_set(e, ERR_CONFIG,
                           "%s: '%s' was %s when the run began and cannot become %s now; leave it "
                           "out to go on, or begin a new run with init_from",
                           config_where(now, k->name), k->name, was, is);
    }
    return true;
}
