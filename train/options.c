// SPDX-License-Identifier: GPL-3.0-or-later
// options.c: the table of training keys. To add a key: a row here, a field in options.h, a line in train_options_read.
#include "train/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

#define GIB(n) ((uint64_t)(n) << 30)

// "|name|name...", a name for each line of a table.
static const char optimisers[] =
#define OPTIM(name) "|" #name
#include "autograd/optim/optim.def"
#undef OPTIM
    ;
static const char schedules[] =
#define SCHEDULE(name, summary, formula) "|" #name
#include "train/schedules.def"
#undef SCHEDULE
    ;

// INT and NUMBER rows read: name, type, default, least, most.
static const config_key keys[] = {
    {"model", CONFIG_TEXT, NULL, .required = true, .help = "the network to train: a name that `kmidi models` lists"},
    {"run_name", CONFIG_TEXT, NULL, .help = "the run folder is runs/RUN_NAME-TIME; by default the model's name"},
    {"init_from", CONFIG_TEXT, NULL, .help = "begin a new run from the weights of this checkpoint (not the same as --resume)"},

    {"transformer", CONFIG_SECTION,
     .help = "emotion_midi_transformer: its sizes; with init_from or lora.base and none given, that model's. Defaults are the reference's"},
    {"transformer.layers", CONFIG_INT, NULL, 1, 20, .help = "8"},
    {"transformer.dim", CONFIG_INT, NULL, 16, 8192, .help = "384; an even number for each head"},
    {"transformer.heads", CONFIG_INT, NULL, 1, 128, .help = "6"},
    {"transformer.ffn", CONFIG_INT, NULL, 16, 32768, .help = "1792: width of the gated feed-forward part"},
    {"transformer.cross", CONFIG_NUMBERS, NULL, 0, 19, .help = "[0, 2, 4, 6]: layers, counted from 0, that look at the emotion, too"},
    {"transformer.emotion_tokens", CONFIG_INT, NULL, 1, 256, .help = "8: vectors that the emotion becomes"},

    {"data", CONFIG_SECTION, .help = "What is learnt from"},
    {"data.train", CONFIG_TEXTS, NULL, .required = true, .least = 1, .most = 4096,
     .help = "shards to train on: paths, patterns, or the folder of a set"},
    {"data.val", CONFIG_TEXTS, NULL,
     .help = "shards to evaluate on, in the same way; without them the training loss is all there is. `data.train=FOLDER` on the command "
             "line sets both"},
    {"data.window", CONFIG_INT, NULL, 1, 1 << 20,
     .help =
         "frames, tokens or notes of an item that a row of a step sees; by default 1024 tokens, 128 notes, or the longest item's frames"},
    {"data.crop", CONFIG_ENUM, "random", .choices = "first|center|last|random",
     .help =
         "which part of a longer item training takes; of songs `random` is windows from random places, all others one behind the other"},
    {"data.eval_crop", CONFIG_ENUM, "last", .choices = "first|center|last",
     .help = "which part of a longer item evaluation takes, with one window"},
    {"data.eval_views", CONFIG_INT, NULL, 1, 64,
     .help = "windows of a longer item that evaluation and predict average, spread evenly over it; by default as many as cover it (1 where "
             "eval_crop is given)"},
    {"data.eval_windows", CONFIG_INT, NULL, 1, 1e9,
     .help = "evaluation takes the first so many windows of each song, one behind the other; by default all"},
    {"data.balance", CONFIG_ENUM, "none", .choices = "none|class_weights|sampling",
     .help = "for uneven labels: weigh the loss by 1 / frequency, or draw every label equally often"},
    {"data.drop_last", CONFIG_BOOL, "false", .help = "leave out the last short batch of an epoch"},
    {"data.ahead", CONFIG_INT, NULL, 1, 64,
     .help = "batches that the reader thread keeps ready; by default 3, up to 32 where they are small"},
    {"data.augment", CONFIG_SECTION,
     .help = "What training sees is varied, anew for every item and epoch, from train.seed (docs/data.md); a masked band or frame is set "
             "to the "
             "mean"},
    {"data.augment.freq_masks", CONFIG_INT, "0", 0, 16, .help = "how many masks over bands"},
    {"data.augment.freq_width", CONFIG_INT, "20", 0, 128, .help = "bands that a mask covers at most"},
    {"data.augment.time_masks", CONFIG_INT, "0", 0, 16, .help = "how many masks over frames"},
    {"data.augment.time_width", CONFIG_INT, "20", 0, 4096, .help = "frames that a mask covers at most"},
    {"data.augment.tilt", CONFIG_NUMBER, "0", 0, 12, .help = "audio: brighter or duller by up to so many decibels an octave, around 1 kHz"},
    {"data.augment.gain", CONFIG_NUMBER, "0", 0, 60, .help = "audio: louder or softer by up to so many decibels"},
    {"data.augment.transpose", CONFIG_NUMBERS, "[0, 0]", -24, 24, .least = 2, .most = 2,
     .help = "songs: semitones, whole ones, from [lowest, highest]; no note leaves the 128 pitches"},
    {"data.augment.stretch", CONFIG_NUMBERS, "[1, 1]", 0.25, 4, .least = 2, .most = 2,
     .help = "songs: times are multiplied by a number from [lowest, highest]: 1.05 is 5% slower"},
    {"data.augment.velocity", CONFIG_NUMBERS, "[1, 1]", 0.1, 10, .least = 2, .most = 2,
     .help = "songs: velocities are multiplied by a number from [lowest, highest]"},
    {"data.augment.drop", CONFIG_NUMBER, "0", 0, 0.9, .help = "songs: share of the notes that are left out of tokens"},

    {"optim", CONFIG_SECTION, .help = "The optimiser; names, formulas and defaults are those of torch.optim"},
    {"optim.name", CONFIG_ENUM, "adamw", .choices = optimisers + 1,
     .help = "update rule; muon: orthogonal momentum for matrices, AdamW for the rest"},
    {"optim.lr", CONFIG_NUMBER, "1e-3", 0, 10, .alias = "optim.learning_rate", .help = "learning rate at the top of the schedule"},
    {"optim.betas", CONFIG_NUMBERS, "[0.9, 0.999]", 0, 0.999999, .least = 2, .most = 2,
     .help = "adam, adamw, muon's AdamW: decay of the first and second moment"},
    {"optim.eps", CONFIG_NUMBER, "1e-8", 0, 1, .help = "adam, adamw, muon's AdamW: added to the denominator"},
    {"optim.weight_decay", CONFIG_NUMBER, NULL, 0, 1,
     .help = "by default the optimiser's own: 0.01 for adamw, 0 for adam and sgd, 0.1 for muon"},
    {"optim.momentum", CONFIG_NUMBER, NULL, 0, 0.999999, .help = "sgd, muon; by default 0 for sgd, 0.95 for muon"},
    {"optim.nesterov", CONFIG_BOOL, NULL, .help = "sgd, muon; by default false for sgd, true for muon"},

    {"schedule", CONFIG_SECTION,
     .help = "The learning rate over the steps of a run; names and formulas are those of Hugging Face transformers"},
    {"schedule.name", CONFIG_ENUM, "constant", .choices = schedules + 1, .help = "the curve behind the warm-up"},
    {"schedule.warmup_steps", CONFIG_INT, "0", 0, 1e9, .help = "steps over which the rate rises from 0"},
    {"schedule.warmup_epochs", CONFIG_NUMBER, "0", 0, 1e6, .help = "the same in epochs; give one of the two"},
    {"schedule.cycles", CONFIG_INT, "1", 1, 1000, .help = "cosine_with_restarts: how many"},
    {"schedule.decay_ratio", CONFIG_NUMBER, "0.2", 1e-3, 1,
     .help = "warmup_stable_decay: the part of the steps behind the warm-up that goes down"},
    {"schedule.min_lr_ratio", CONFIG_NUMBER, "0", 0, 1, .help = "the curve ends at this part of optim.lr"},

    {"train", CONFIG_SECTION, .help = "The loop"},
    {"train.batch_size", CONFIG_INT, "16", 1, 65536, .help = "items of a batch"},
    {"train.grad_accum", CONFIG_INT, "1", 1, 65536, .alias = "train.gradient_accumulation_steps",
     .help = "batches a step: the effective batch is batch_size x grad_accum, weighed by the real number of items. How many of them are "
             "computed at once is memory.micro_batch"},
    {"train.epochs", CONFIG_INT, "10", 1, 1e9, .help = "passes over the training data"},
    {"train.min_epochs", CONFIG_INT, "0", 0, 1e9, .help = "early stopping waits for these"},
    {"train.max_steps", CONFIG_INT, NULL, 1, 1e15, .help = "stop after so many steps, whatever the epochs say"},
    {"train.seed", CONFIG_INT, "1", 0, 9007199254740992.0, .help = "of weights, order, crops and masks: the same seed gives the same run"},
    {"train.eval_every", CONFIG_INT, "1", 0, 1e9, .help = "evaluate every so many epochs (0: only at the end)"},
    {"train.eval_every_steps", CONFIG_INT, NULL, 1, 1e15, .help = "evaluate every so many steps instead"},
    {"train.save_every", CONFIG_INT, "1", 0, 1e9,
     .help = "save a checkpoint every so many epochs (0: only at the end, on signals, and a new best)"},
    {"train.save_every_steps", CONFIG_INT, NULL, 1, 1e15, .help = "save `last` every so many steps as well"},
    {"train.keep_top_k", CONFIG_INT, "3", 0, 1000,
     .help = "checkpoints named by epoch that are kept (the best by the monitor), besides `last` and `best`"},
    {"train.early_stopping", CONFIG_SECTION, .help = "Ends a run that does not get better"},
    {"train.early_stopping.patience", CONFIG_INT, NULL, 1, 1e9, .help = "evaluations without progress after which a run ends; null: never"},
    {"train.early_stopping.min_delta", CONFIG_NUMBER, "0", 0, 1e9, .help = "what counts as progress"},
    {"train.early_stopping.monitor", CONFIG_ENUM, "loss", .choices = "loss|accuracy|macro_f1|perplexity|mse|mae",
     .help = "the metric of the validation data that decides what `best` is"},
    {"train.grad_clip", CONFIG_NUMBER, "1", 0, 1e9, .help = "largest L2 norm of the whole gradient; 0: as it is"},
    {"train.label_smoothing", CONFIG_NUMBER, "0", 0, 0.999, .help = "part of the target that is spread over all classes (training only)"},
    {"train.affect_weight", CONFIG_NUMBER, "0", 0, 100,
     .help = "emotion_recognizer: weight of the squared error of valence and arousal (embedding 0 and 1) beside the classes' loss"},
    {"train.ema", CONFIG_NUMBER, "0", 0, 0.999999,
     .help = "decay of the averaged weights that evaluation and export use, smaller in the first steps; 0: none"},
    {"train.time_limit", CONFIG_SECONDS, NULL, 0, INFINITY,
     .help = "stop, resumable, before this time of this command is over; by default what the scheduler says (SLURM_JOB_END_TIME)"},
    {"train.threads", CONFIG_INT, NULL, 1, 1024, .help = "by default as many as this process may use"},

    {"precision", CONFIG_ENUM, "fp32", .choices = PRECISION_CHOICES,
     .help = "of products in training (docs/precision.md): f32; f32 from three products in bf16 where that is faster; or bf16, with what "
             "is kept for the way back. Weights, and all that comes after training, are f32"},

    {"memory", CONFIG_SECTION, .help = "What training may use, all told; a run that needs more is refused before it starts"},
    {"memory.profile", CONFIG_ENUM, "auto", .choices = "auto|16gb|24gb|48gb",
     .help = "budget of a machine of that size: 12, 18, 40 GiB; auto: the largest that fits this machine; one that is larger than this "
             "machine is refused"},
    {"memory.budget", CONFIG_BYTES, NULL, 1 << 20, INFINITY, .help = "the budget itself, instead of a profile's"},
    {"memory.micro_batch", CONFIG_TEXT, "auto",
     .help = "items that are computed at once, a divisor of batch_size x grad_accum; auto: what is fastest within the budget"},
    {"memory.recompute", CONFIG_ENUM, "auto", .choices = "auto|none|all",
     .help = "drop activations and compute them again in the backward pass: as few as fit the budget, none, or all"},
    {"memory.activations", CONFIG_ENUM, "fp32", .choices = "fp32|bf16|auto",
     .help =
         "what lives from the forward to the backward pass: as it was computed; rounded to bf16, in half the room (precision bf16 always "
         "does); or rounded only where the budget would have parts computed twice"},
    {"memory.beside_llm", CONFIG_BOOL, "false",
     .help = "a language model stays resident beside us: 7, 7, 2 GiB instead, since the model that one chooses grows with the machine "
             "(8.5, 16.5, 45.5 GB)"},

    {"lora", CONFIG_SECTION,
     .help =
         "Low-rank adapters instead of the weights themselves (docs/lora.md); names and rules are those of Hugging Face PEFT's LoraConfig"},
    {"lora.base", CONFIG_TEXT, NULL, .help = "the checkpoint, or run folder, whose model is adapted; its weights stay as they are"},
    {"lora.target_modules", CONFIG_TEXTS, NULL, .least = 1, .most = 4096,
     .help = "turns adapters on: [names] of layers (whole, or their end behind a dot), a regular expression that fits whole names, or "
             "all-linear"},
    {"lora.exclude_modules", CONFIG_TEXTS, NULL, .help = "layers that are no targets after all: names or a regular expression, as above"},
    {"lora.r", CONFIG_INT, "8", 1, 4096, .help = "rank of an adapter"},
    {"lora.alpha", CONFIG_NUMBER, "16", 0, 1e6, .alias = "lora.lora_alpha", .help = "an adapter counts alpha / r times"},
    {"lora.dropout", CONFIG_NUMBER, "0", 0, 0.999, .alias = "lora.lora_dropout",
     .help = "of an adapter's input (linear layers; PEFT has none for matrices of an LSTM)"},
    {"lora.rslora", CONFIG_BOOL, "false", .alias = "lora.use_rslora", .help = "alpha / sqrt(r) instead"},
    {"lora.modules_to_save", CONFIG_TEXTS, NULL, .help = "modules that are trained whole beside the adapters"},
    {"lora.rank_pattern", CONFIG_MAP, NULL, 1, 4096, .help = "{name or regular expression: rank}; the first that fits"},
    {"lora.alpha_pattern", CONFIG_MAP, NULL, 0, 1e6, .help = "{name or regular expression: alpha}; the first that fits"},
    {"lora.layers_to_transform", CONFIG_NUMBERS, NULL, 0, 1e6, .help = "of numbered layers only these"},
    {"lora.layers_pattern", CONFIG_TEXTS, "[layers]", .help = "the list that layers_to_transform numbers"},

    {"logging", CONFIG_SECTION, .help = "What a run tells"},
    {"logging.every", CONFIG_INT, "10", 1, 1e9, .help = "steps between two lines of metrics.jsonl"},
    {"logging.tensorboard", CONFIG_BOOL, "true", .help = "write TensorBoard event files into the run folder"},
};
const config_table train_table = {
    .what = "training", .keys = keys, .n = sizeof keys / sizeof *keys, .others = train_others, .nothing = train_lora_nothing};

// Profiles: what is left for training on a machine of that size, alone or beside a resident language-model stack (design: memory).
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
                   "%s: memory.profile=%s is for a machine of %d GB, and this process may use %s; take memory.profile=auto, or set what it "
                   "may use itself: memory.budget=%dGiB",
                   config_where(c, "memory.profile"), p->name, (int)(p->machine >> 30), str_human_bytes(limit, has),
                   (int)((beside ? p->beside : p->alone) >> 30));
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
            return is_machine(&profiles[i], limit) || refuse_profile(c, &profiles[i], limit, beside, e);
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
    return err_set(e, ERR_CONFIG, "%s: 'memory.micro_batch' is auto or a divisor of the effective batch of %lld x %lld = %lld, not '%s'",
                   config_where(c, "memory.micro_batch"), (long long)o->batch_size, (long long)o->grad_accum, (long long)whole, text);
}

static bool read_model(const config *c, train_options *o, err *e)
{
    o->model = model_named(config_text(c, "model"), e);
    if (!o->model && e)
        e->code = ERR_CONFIG;
    return o->model || err_trail(e, "%s", config_where(c, "model"));
}

// "layers=4 cross=0": what the configuration says of the model's options, as model_configure reads it.
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
        return err_set(e, ERR_CONFIG, "%s: 'optim.nesterov' needs an 'optim.momentum' above 0", config_where(c, "optim.nesterov"));
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
        return err_set(e, ERR_CONFIG, "%s: 'schedule.warmup_steps' and 'schedule.warmup_epochs' are both set; keep one",
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
    return out[0] <= out[1] ||
           err_set(e, ERR_CONFIG, "%s: '%s' is [lowest, highest], not [%g, %g]", config_where(c, key), key, out[0], out[1]);
}

static bool read_augment(const config *c, train_options *o, err *e)
{
    double by[2];
    augment_midi *m = &o->data.midi;
    if (!read_range(c, "data.augment.transpose", by, e) || !read_range(c, "data.augment.stretch", m->stretch, e) ||
        !read_range(c, "data.augment.velocity", m->velocity, e))
        return false;
    if (by[0] != floor(by[0]) || by[1] != floor(by[1]))
        return err_set(e, ERR_CONFIG, "%s: 'data.augment.transpose' counts whole semitones, not [%g, %g]",
                       config_where(c, "data.augment.transpose"), by[0], by[1]);
    m->transpose[0] = (int)by[0], m->transpose[1] = (int)by[1];
    o->data.tilt = config_num(c, "data.augment.tilt"), o->data.gain = config_num(c, "data.augment.gain");
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

// A folder that is given on the command line brings its own shards to evaluate on, or none, where these are not given there too.
static void read_data(const config *c, train_options *o)
{
    static const train_crop crops[] = {CROP_FIRST, CROP_CENTER, CROP_LAST, CROP_RANDOM};
    static const train_balance balances[] = {BALANCE_NONE, BALANCE_WEIGHTS, BALANCE_SAMPLING};
    o->data.n_train = config_texts(c, "data.train", &o->data.train);
    o->data.n_val = config_texts(c, "data.val", &o->data.val);
    if (o->data.n_train == 1 && file_is_folder(o->data.train[0]) && str_starts(config_where(c, "data.train"), "override") &&
        !str_starts(config_where(c, "data.val"), "override"))
        o->data.val = o->data.train, o->data.n_val = has_val(o->data.train[0]);
    o->data.window = config_int(c, "data.window");
    o->data.crop = crops[config_choice(c, "data.crop")];
    o->data.eval_crop = crops[config_choice(c, "data.eval_crop")];
    o->data.eval_windows = config_int(c, "data.eval_windows");
    o->data.eval_views = config_given(c, "data.eval_views") ? (int)config_int(c, "data.eval_views") : config_given(c, "data.eval_crop");
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
    static const char *const of_task[] = {
        [TASK_CLASSES] = "loss accuracy macro_f1", [TASK_TOKENS] = "loss accuracy perplexity", [TASK_REGRESSION] = "loss mse mae"};
    o->monitor = config_text(c, "train.early_stopping.monitor");
    if (!strstr(of_task[o->model->task], o->monitor))
        return err_set(e, ERR_CONFIG, "%s: %s has no '%s' to monitor; it has %s", config_where(c, "train.early_stopping.monitor"),
                       o->model->name, o->monitor, of_task[o->model->task]);
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
    *o = (train_options){.run_name = config_text(c, "run_name"), .init_from = config_text(c, "init_from")};
    if (!read_model(c, o, e) || !read_sizes(c, o, a, e) || !read_optim(c, o, e) || !read_schedule(c, o, e) || !read_monitor(c, o, e) ||
        !train_options_lora(c, o, e) || !read_augment(c, o, e))
        return false;
    read_data(c, o);
    read_loop(c, o);
    if (!read_budget(c, memory_limit, o, e))
        return false;
    o->precision = (precision)config_choice(c, "precision");
    if (!read_split(c, o, e))
        return false;
    if (o->patience && !o->data.n_val)
        return err_set(e, ERR_CONFIG, "%s: early stopping needs 'data.val' to look at", config_where(c, "train.early_stopping.patience"));
    if (o->run_name && (strchr(o->run_name, '/') || *o->run_name == '.'))
        return err_set(e, ERR_CONFIG, "%s: 'run_name' must be a plain name; --run-dir takes a path", config_where(c, "run_name"));
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
        const char *name = keys[i].name;
        char was[200], is[200];
        if (keys[i].type == CONFIG_SECTION || may_change(name))
            continue;
        config_show(old, name, was, sizeof was);
        config_show(now, name, is, sizeof is);
        if (strcmp(was, is))
            return err_set(
                e, ERR_CONFIG,
                "%s: '%s' was %s when the run began and cannot become %s now; leave it out to go on, or begin a new run with init_from",
                config_where(now, name), name, was, is);
    }
    return true;
}
