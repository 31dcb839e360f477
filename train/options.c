// SPDX-License-Identifier: GPL-3.0-or-later
// options.c: training keys to a train_options. To add a key: a row in options_keys.c, a field in
// options.h, a line in train_options_read.
#include "train/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

#define GIB(n) ((uint64_t)(n) << 30)

// Profiles: what is left for training on a machine of that size, alone or beside a resident
// language-model stack (design: memory).
typedef struct profile {
    const char *name, *with; // "with": where the budget comes from beside a language model
    uint64_t machine, alone, beside;
} profile;
static const profile profiles[] = {
    {"16gb", "16gb less 8.5 GB of a language model", GIB(16), GIB(12), GIB(7)},
    {"24gb", "24gb less 16.5 GB of a language model", GIB(24), GIB(18), GIB(7)},
    {"48gb", "48gb less 45.5 GB of a language model", GIB(48), GIB(40), GIB(2)},
};
enum { N_PROFILES = sizeof profiles / sizeof *profiles };

// A "16 GB" machine reports a little less than 16 GiB.
static bool is_machine(const profile *p, uint64_t limit)
{
    return limit >= p->machine / 10 * 9;
}

// A machine smaller than the smallest profile gives three quarters of what it has.
static void auto_budget(train_options *o, uint64_t limit, bool beside)
{
    for (int i = N_PROFILES - 1; i >= 0; i--)
        if (is_machine(&profiles[i], limit)) {
            o->budget = beside ? profiles[i].beside : profiles[i].alone;
            o->budget_from = beside ? profiles[i].with : profiles[i].name;
            return;
        }
    o->budget = limit / 4 * 3;
    o->budget_from = "three quarters of this machine";
}

static bool refuse_profile(const config *c, const profile *p, uint64_t limit, bool beside, err *e)
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
    static const train_recompute hows[] = {RECOMPUTE_AUTO, RECOMPUTE_NONE, RECOMPUTE_ALL};
    const char *text = config_text(c, "memory.micro_batch");
    int64_t whole = o->batch_size * o->grad_accum;
    char *end = NULL;
    o->recompute = hows[config_choice(c, "memory.recompute")];
    o->activations = (train_activations)config_choice(c, "memory.activations");
    if (!strcmp(text, "auto"))
        return true;
    o->micro_batch = strtoll(text, &end, 10);
    if (o->micro_batch > 0 && !*end && whole % o->micro_batch == 0)
        return true;
    return err_set(e, ERR_CONFIG,
                   "%s: 'memory.micro_batch' is auto or a divisor of the effective batch of %lld x "
                   "%lld = %lld, not '%s'",
                   config_where(c, "memory.micro_batch"), (long long)o->batch_size,
                   (long long)o->grad_accum, (long long)whole, text);
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
        const model_option *m = &o->model->options[i];
        const double *list;
        char key[64];
        snprintf(key, sizeof key, "%s.%s", o->model->section, m->name);
        if (!config_given(c, key))
            continue;
        where = config_where(c, key);
        strbuf_printf(&text, "%s%s=", text.len ? " " : "", m->name);
        size_t n = m->list ? config_nums(c, key, &list) : 0;
        for (size_t k = 0; k < n; k++)
            strbuf_printf(&text, "%s%.17g", k ? "," : "", list[k]);
        if (!m->list)
            strbuf_printf(&text, "%lld", (long long)config_int(c, key));
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

static bool read_optim(const config *c, train_options *o, err *e)
{
    const double *betas;
    o->optim = optim_find(config_text(c, "optim.name"));
    CHECK(o->optim);
    config_nums(c, "optim.betas", &betas);
    o->hyper = o->optim->defaults;
    o->hyper.lr = (float)config_num(c, "optim.lr");
    o->hyper.beta1 = (float)betas[0], o->hyper.beta2 = (float)betas[1];
    o->hyper.eps = (float)config_num(c, "optim.eps");
    if (config_given(c, "optim.weight_decay"))
        o->hyper.weight_decay = (float)config_num(c, "optim.weight_decay");
    if (config_given(c, "optim.momentum"))
        o->hyper.momentum = (float)config_num(c, "optim.momentum");
    if (config_given(c, "optim.nesterov"))
        o->hyper.nesterov = config_bool(c, "optim.nesterov");
    if (o->hyper.nesterov && o->hyper.momentum <= 0)
        return err_set(e, ERR_CONFIG, "%s: 'optim.nesterov' needs an 'optim.momentum' above 0",
                       config_where(c, "optim.nesterov"));
    return true;
}

static bool read_schedule(const config *c, train_options *o, err *e)
{
    o->schedule.curve = schedule_find(config_text(c, "schedule.name"));
    CHECK(o->schedule.curve);
    o->schedule.warmup_steps = config_int(c, "schedule.warmup_steps");
    o->schedule.warmup_epochs = config_num(c, "schedule.warmup_epochs");
    o->schedule.cycles = config_num(c, "schedule.cycles");
    o->schedule.decay_ratio = config_num(c, "schedule.decay_ratio");
    o->schedule.min_lr_ratio = config_num(c, "schedule.min_lr_ratio");
    if (o->schedule.warmup_steps && o->schedule.warmup_epochs > 0)
        return err_set(
            e, ERR_CONFIG,
            "%s: 'schedule.warmup_steps' and 'schedule.warmup_epochs' are both set; keep one",
            config_where(c, "schedule.warmup_steps"));
    return true;
}

// [lowest, highest] of a key that has a default.
static bool read_range(const config *c, const char *key, double out[2], err *e)
{
    const double *list;
    size_t n = config_nums(c, key, &list);
    CHECK(n == 2);
    out[0] = list[0], out[1] = list[1];
    return out[0] <= out[1] || err_set(e, ERR_CONFIG, "%s: '%s' is [lowest, highest], not [%g, %g]",
                                       config_where(c, key), key, out[0], out[1]);
}

static bool read_augment(const config *c, train_options *o, err *e)
{
    double by[2];
    augment_midi *m = &o->data.midi;
    if (!read_range(c, "data.augment.transpose", by, e) ||
        !read_range(c, "data.augment.stretch", m->stretch, e) ||
        !read_range(c, "data.augment.velocity", m->velocity, e))
        return false;
    if (by[0] != floor(by[0]) || by[1] != floor(by[1]))
        return err_set(e, ERR_CONFIG,
                       "%s: 'data.augment.transpose' counts whole semitones, not [%g, %g]",
                       config_where(c, "data.augment.transpose"), by[0], by[1]);
    m->transpose[0] = (int)by[0], m->transpose[1] = (int)by[1];
    o->data.tilt = config_num(c, "data.augment.tilt"),
    o->data.gain = config_num(c, "data.augment.gain");
    m->drop = config_num(c, "data.augment.drop");
    return true;
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
static void read_data(const config *c, train_options *o)
{
    static const train_crop crops[] = {CROP_FIRST, CROP_CENTER, CROP_LAST, CROP_RANDOM};
    static const train_balance balances[] = {BALANCE_NONE, BALANCE_WEIGHTS, BALANCE_SAMPLING};
    o->data.n_train = config_texts(c, "data.train", &o->data.train);
    o->data.n_val = config_texts(c, "data.val", &o->data.val);
    if (o->data.n_train == 1 && file_is_folder(o->data.train[0]) &&
        str_starts(config_where(c, "data.train"), "override") &&
        !str_starts(config_where(c, "data.val"), "override"))
        o->data.val = o->data.train, o->data.n_val = has_val(o->data.train[0]);
    o->data.window = config_int(c, "data.window");
    o->data.crop = crops[config_choice(c, "data.crop")];
    o->data.eval_crop = crops[config_choice(c, "data.eval_crop")];
    o->data.eval_windows = config_int(c, "data.eval_windows");
    o->data.eval_views = config_given(c, "data.eval_views") ? (int)config_int(c, "data.eval_views")
                                                            : config_given(c, "data.eval_crop");
    o->data.balance = balances[config_choice(c, "data.balance")];
    o->data.drop_last = config_bool(c, "data.drop_last");
    o->data.ahead = (int)config_int(c, "data.ahead");
    o->data.freq_masks = (int)config_int(c, "data.augment.freq_masks");
    o->data.freq_width = (int)config_int(c, "data.augment.freq_width");
    o->data.time_masks = (int)config_int(c, "data.augment.time_masks");
    o->data.time_width = (int)config_int(c, "data.augment.time_width");
}

// Which metrics a task has (metrics.h), to refuse a monitor that never comes.
static bool read_monitor(const config *c, train_options *o, err *e)
{
    static const char *const of_task[] = {[TASK_CLASSES] = "loss accuracy macro_f1",
                                          [TASK_TOKENS] = "loss accuracy perplexity",
                                          [TASK_REGRESSION] = "loss mse mae"};
    o->monitor = config_text(c, "train.early_stopping.monitor");
    if (!strstr(of_task[o->model->task], o->monitor))
        return err_set(e, ERR_CONFIG, "%s: %s has no '%s' to monitor; it has %s",
                       config_where(c, "train.early_stopping.monitor"), o->model->name, o->monitor,
                       of_task[o->model->task]);
    return true;
}

static void read_loop(const config *c, train_options *o)
{
    o->batch_size = config_int(c, "train.batch_size");
    o->grad_accum = config_int(c, "train.grad_accum");
    o->epochs = config_int(c, "train.epochs");
    o->min_epochs = config_int(c, "train.min_epochs");
    o->max_steps = config_int(c, "train.max_steps");
    o->seed = config_int(c, "train.seed");
    o->eval_every = config_int(c, "train.eval_every");
    o->eval_every_steps = config_int(c, "train.eval_every_steps");
    o->save_every = config_int(c, "train.save_every");
    o->save_every_steps = config_int(c, "train.save_every_steps");
    o->keep_top_k = config_int(c, "train.keep_top_k");
    o->patience = config_int(c, "train.early_stopping.patience");
    o->min_delta = config_num(c, "train.early_stopping.min_delta");
    o->grad_clip = config_num(c, "train.grad_clip");
    o->label_smoothing = (float)config_num(c, "train.label_smoothing");
    o->affect_weight = (float)config_num(c, "train.affect_weight");
    o->ema = (float)config_num(c, "train.ema");
    o->time_limit = config_num(c, "train.time_limit");
    o->threads = (int)config_int(c, "train.threads");
    o->log_every = config_int(c, "logging.every");
    o->tensorboard = config_bool(c, "logging.tensorboard");
}

bool train_options_read(const config *c, uint64_t memory_limit, train_options *o, arena *a, err *e)
{
    *o = (train_options){.run_name = config_text(c, "run_name"),
                         .init_from = config_text(c, "init_from")};
    if (!read_model(c, o, e) || !read_sizes(c, o, a, e) || !read_optim(c, o, e) ||
        !read_schedule(c, o, e) || !read_monitor(c, o, e) || !train_options_lora(c, o, e) ||
        !read_augment(c, o, e))
        return false;
    read_data(c, o);
    read_loop(c, o);
    if (!read_budget(c, memory_limit, o, e))
        return false;
    o->precision = (precision)config_choice(c, "precision");
    if (!read_split(c, o, e))
        return false;
    if (o->patience && !o->data.n_val)
        return err_set(e, ERR_CONFIG, "%s: early stopping needs 'data.val' to look at",
                       config_where(c, "train.early_stopping.patience"));
    if (o->run_name && (strchr(o->run_name, '/') || *o->run_name == '.'))
        return err_set(e, ERR_CONFIG, "%s: 'run_name' must be a plain name; --run-dir takes a path",
                       config_where(c, "run_name"));
    return true;
}

// Keys (or sections) that a resumed run may change.
static const char *const changeable[] = {"run_name",
                                         "train.epochs",
                                         "train.max_steps",
                                         "train.time_limit",
                                         "train.early_stopping.patience",
                                         "train.save_every",
                                         "train.save_every_steps",
                                         "train.keep_top_k",
                                         "train.min_epochs",
                                         "data.ahead",
                                         "data.train",
                                         "data.val",
                                         "memory.profile",
                                         "memory.budget",
                                         "memory.micro_batch",
                                         "memory.recompute",
                                         "memory.beside_llm",
                                         "logging.tensorboard"};

static bool may_change(const char *name)
{
    for (size_t i = 0; i < sizeof changeable / sizeof *changeable; i++) {
        size_t n = strlen(changeable[i]);
        if (!strncmp(name, changeable[i], n) && (!name[n] || name[n] == '.'))
            return true;
    }
    return false;
}

bool train_options_resumable(const config *old, const config *now, err *e)
{
    for (size_t i = 0; i < train_table.n; i++) {
        const char *name = train_table.keys[i].name;
        char was[200], is[200];
        if (train_table.keys[i].type == CONFIG_SECTION || may_change(name))
            continue;
        config_show(old, name, was, sizeof was);
        config_show(now, name, is, sizeof is);
        if (strcmp(was, is))
            return err_set(e, ERR_CONFIG,
                           "%s: '%s' was %s when the run began and cannot become %s now; leave it "
                           "out to go on, or begin a new run with init_from",
                           config_where(now, name), name, was, is);
    }
    return true;
}
