// SPDX-License-Identifier: GPL-3.0-or-later
// options_keys.c: the table of training keys (options.h).
#include <math.h>
#include <stdint.h>

#include "train/options.h"

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

#define AT(member) KEY_AT(train_options, member)
// A run that goes on may have another value.
#define RESUMABLE .resumable = true

// INT and NUMBER rows read: name, type, default, least, most. A row without AT is a decision of
// options.c. The sizes of models stand between these two tables.
static const config_key first[] = {
    {"model", CONFIG_TEXT, NULL, .required = true,
     .help = "the network to train: a name that `kmidi models` lists"},
    {"run_name", CONFIG_TEXT, NULL, AT(run_name), RESUMABLE,
     .help = "the run folder is runs/RUN_NAME-TIME; by default the model's name"},
    {"init_from", CONFIG_TEXT, NULL, AT(init_from),
     .help = "begin a new run from the weights of this checkpoint (not the same as --resume)"},
};

static const config_key keys[] = {
    {"data", CONFIG_SECTION, .help = "What is learnt from"},
    {"data.train", CONFIG_TEXTS, NULL, .required = true, .least = 1, .most = 4096, AT(data.train),
     RESUMABLE, .help = "shards to train on: paths, patterns, or the folder of a set"},
    {"data.val", CONFIG_TEXTS, NULL, AT(data.val), RESUMABLE,
     .help = "shards to evaluate on, in the same way; without them the training loss is all there "
             "is. `data.train=FOLDER` on the command "
             "line sets both"},
    {"data.window", CONFIG_INT, NULL, 1, 1 << 20, AT(data.window),
     .help = "frames, tokens or notes of an item that a row of a step sees; by default 1024 "
             "tokens, 128 notes, or the longest item's frames"},
    {"data.crop", CONFIG_ENUM, "random", .choices = "first|center|last|random", AT(data.crop),
     .help = "which part of a longer item training takes; of songs `random` is windows from random "
             "places, all others one behind the other"},
    {"data.eval_crop", CONFIG_ENUM, "last", .choices = "first|center|last", AT(data.eval_crop),
     .help = "which part of a longer item evaluation takes, with one window"},
    {"data.eval_views", CONFIG_INT, NULL, 1, 64, AT(data.eval_views),
     .help = "windows of a longer item that evaluation and predict average, spread evenly over it; "
             "by default as many as cover it (1 where "
             "eval_crop is given)"},
    {"data.eval_windows", CONFIG_INT, NULL, 1, 1e9, AT(data.eval_windows),
     .help = "evaluation takes the first so many windows of each song, one behind the other; by "
             "default all"},
    {"data.balance", CONFIG_ENUM, "none", .choices = "none|class_weights|sampling",
     AT(data.balance),
     .help =
         "for uneven labels: weigh the loss by 1 / frequency, or draw every label equally often"},
    {"data.drop_last", CONFIG_BOOL, "false", AT(data.drop_last),
     .help = "leave out the last short batch of an epoch"},
    {"data.ahead", CONFIG_INT, NULL, 1, 64, AT(data.ahead), RESUMABLE,
     .help =
         "batches that the reader thread keeps ready; by default 3, up to 32 where they are small"},
    {"data.augment", CONFIG_SECTION,
     .help = "What training sees is varied, anew for every item and epoch, from train.seed "
             "(docs/data.md); a masked band or frame is set "
             "to the "
             "mean"},
    {"data.augment.freq_masks", CONFIG_INT, "0", 0, 16, AT(data.freq_masks),
     .help = "how many masks over bands"},
    {"data.augment.freq_width", CONFIG_INT, "20", 0, 128, AT(data.freq_width),
     .help = "bands that a mask covers at most"},
    {"data.augment.time_masks", CONFIG_INT, "0", 0, 16, AT(data.time_masks),
     .help = "how many masks over frames"},
    {"data.augment.time_width", CONFIG_INT, "20", 0, 4096, AT(data.time_width),
     .help = "frames that a mask covers at most"},
    {"data.augment.tilt", CONFIG_NUMBER, "0", 0, 12, AT(data.tilt),
     .help = "audio: brighter or duller by up to so many decibels an octave, around 1 kHz"},
    {"data.augment.gain", CONFIG_NUMBER, "0", 0, 60, AT(data.gain),
     .help = "audio: louder or softer by up to so many decibels"},
    {"data.augment.mixup", CONFIG_NUMBER, "0", 0, 2, AT(data.mixup),
     .help = "audio: each item is mixed with another, by a share from Beta(mixup, mixup), and has "
             "the labels of both by that share (0.2 mixes little); 0: none"},
    {"data.augment.transpose", CONFIG_NUMBERS, "[0, 0]", -24, 24, .least = 2, .most = 2,
     AT(data.midi.transpose), .range = true,
     .help =
         "songs: semitones, whole ones, from [lowest, highest]; no note leaves the 128 pitches"},
    {"data.augment.stretch", CONFIG_NUMBERS, "[1, 1]", 0.25, 4, .least = 2, .most = 2,
     AT(data.midi.stretch), .range = true,
     .help = "songs: times are multiplied by a number from [lowest, highest]: 1.05 is 5% slower"},
    {"data.augment.velocity", CONFIG_NUMBERS, "[1, 1]", 0.1, 10, .least = 2, .most = 2,
     AT(data.midi.velocity), .range = true,
     .help = "songs: velocities are multiplied by a number from [lowest, highest]"},
    {"data.augment.drop", CONFIG_NUMBER, "0", 0, 0.9, AT(data.midi.drop),
     .help = "songs: share of the notes that are left out of tokens"},

    {"optim", CONFIG_SECTION,
     .help = "The optimiser; names, formulas and defaults are those of torch.optim"},
    {"optim.name", CONFIG_ENUM, "adamw", .choices = optimisers + 1,
     .help = "update rule; muon: orthogonal momentum for matrices, AdamW for the rest"},
    {"optim.lr", CONFIG_NUMBER, "1e-3", 0, 10, .alias = "optim.learning_rate", AT(hyper.lr),
     .help = "learning rate at the top of the schedule"},
    {"optim.betas", CONFIG_NUMBERS, "[0.9, 0.999]", 0, 0.999999, .least = 2, .most = 2,
     AT(hyper.beta1), .help = "adam, adamw, muon's AdamW: decay of the first and second moment"},
    {"optim.eps", CONFIG_NUMBER, "1e-8", 0, 1, AT(hyper.eps),
     .help = "adam, adamw, muon's AdamW: added to the denominator"},
    {"optim.weight_decay", CONFIG_NUMBER, NULL, 0, 1, AT(hyper.weight_decay),
     .help = "by default the optimiser's own: 0.01 for adamw, 0 for adam and sgd, 0.1 for muon"},
    {"optim.momentum", CONFIG_NUMBER, NULL, 0, 0.999999, AT(hyper.momentum),
     .help = "sgd, muon; by default 0 for sgd, 0.95 for muon"},
    {"optim.row_beta", CONFIG_NUMBER, "0", 0, 0.999999, AT(hyper.row_beta),
     .help =
         "muon: decay of the mean square of each row of an update, by which rows are brought to "
         "one size (NorMuon, 0.95); 0: as they are, torch's Muon"},
    {"optim.nesterov", CONFIG_BOOL, NULL, AT(hyper.nesterov),
     .help = "sgd, muon; by default false for sgd, true for muon"},

    {"schedule", CONFIG_SECTION,
     .help = "The learning rate over the steps of a run; names and formulas are those of Hugging "
             "Face transformers"},
    {"schedule.name", CONFIG_ENUM, "constant", .choices = schedules + 1,
     .help = "the curve behind the warm-up"},
    {"schedule.warmup_steps", CONFIG_INT, "0", 0, 1e9, AT(schedule.warmup_steps),
     .help = "steps over which the rate rises from 0"},
    {"schedule.warmup_epochs", CONFIG_NUMBER, "0", 0, 1e6, AT(schedule.warmup_epochs),
     .help = "the same in epochs; give one of the two"},
    {"schedule.cycles", CONFIG_INT, "1", 1, 1000, AT(schedule.cycles),
     .help = "cosine_with_restarts: how many"},
    {"schedule.decay_ratio", CONFIG_NUMBER, "0.2", 1e-3, 1, AT(schedule.decay_ratio),
     .help = "warmup_stable_decay: the part of the steps behind the warm-up that goes down"},
    {"schedule.min_lr_ratio", CONFIG_NUMBER, "0", 0, 1, AT(schedule.min_lr_ratio),
     .help = "the curve ends at this part of optim.lr"},

    {"train", CONFIG_SECTION, .help = "The loop"},
    {"train.batch_size", CONFIG_INT, "16", 1, 65536, AT(batch_size), .help = "items of a batch"},
    {"train.grad_accum", CONFIG_INT, "1", 1, 65536, .alias = "train.gradient_accumulation_steps",
     AT(grad_accum),
     .help = "batches a step: the effective batch is batch_size x grad_accum, weighed by the real "
             "number of items. How many of them are "
             "computed at once is memory.micro_batch"},
    {"train.epochs", CONFIG_INT, "10", 1, 1e9, AT(epochs), RESUMABLE,
     .help = "passes over the training data"},
    {"train.min_epochs", CONFIG_INT, "0", 0, 1e9, AT(min_epochs), RESUMABLE,
     .help = "early stopping waits for these"},
    {"train.max_steps", CONFIG_INT, NULL, 1, 1e15, AT(max_steps), RESUMABLE,
     .help = "stop after so many steps, whatever the epochs say"},
    {"train.seed", CONFIG_INT, "1", 0, 9007199254740992.0, AT(seed),
     .help = "of weights, order, crops and masks: the same seed gives the same run"},
    {"train.eval_every", CONFIG_INT, "1", 0, 1e9, AT(eval_every),
     .help = "evaluate every so many epochs (0: only at the end)"},
    {"train.eval_every_steps", CONFIG_INT, NULL, 1, 1e15, AT(eval_every_steps),
     .help = "evaluate every so many steps instead"},
    {"train.save_every", CONFIG_INT, "1", 0, 1e9, AT(save_every), RESUMABLE,
     .help =
         "save a checkpoint every so many epochs (0: only at the end, on signals, and a new best)"},
    {"train.save_every_steps", CONFIG_INT, NULL, 1, 1e15, AT(save_every_steps), RESUMABLE,
     .help = "save `last` every so many steps as well"},
    {"train.keep_top_k", CONFIG_INT, "3", 0, 1000, AT(keep_top_k), RESUMABLE,
     .help = "checkpoints named by epoch that are kept (the best by the monitor), besides `last` "
             "and `best`"},
    {"train.early_stopping", CONFIG_SECTION, .help = "Ends a run that does not get better"},
    {"train.early_stopping.patience", CONFIG_INT, NULL, 1, 1e9, AT(patience), RESUMABLE,
     .help = "evaluations without progress after which a run ends; null: never"},
    {"train.early_stopping.min_delta", CONFIG_NUMBER, "0", 0, 1e9, AT(min_delta),
     .help = "what counts as progress"},
    {"train.early_stopping.monitor", CONFIG_ENUM, "loss",
     .choices = "loss|accuracy|macro_f1|uar|perplexity|mse|mae|chamfer|colours", AT(monitor),
     .help = "the metric of the validation data that decides what `best` is"},
    {"train.grad_clip", CONFIG_NUMBER, "1", 0, 1e9, AT(grad_clip),
     .help = "largest L2 norm of the whole gradient; 0: as it is"},
    {"train.label_smoothing", CONFIG_NUMBER, "0", 0, 0.999, AT(label_smoothing),
     .help = "part of the target that is spread over all classes (training only)"},
    {"train.affect_weight", CONFIG_NUMBER, "0", 0, 100, AT(affect_weight),
     .help = "emotion_recognizer: weight of the squared error of valence and arousal (embedding 0 "
             "and 1) beside the classes' loss"},
    {"train.condition_dropout", CONFIG_NUMBER, "0", 0, 0.999, AT(condition_dropout),
     .help = "share of the rows that are told no emotion (64 zeros), so that `kmidi generate "
             "--guidance` knows what music is without one (docs/emotion.md); 0.1 to 0.2"},
    {"train.ema", CONFIG_NUMBER, "0", 0, 0.999999, AT(ema),
     .help = "decay of the averaged weights that evaluation and export use, smaller in the first "
             "steps; 0: none"},
    {"train.time_limit", CONFIG_SECONDS, NULL, 0, INFINITY, AT(time_limit), RESUMABLE,
     .help = "stop, resumable, before this time of this command is over; by default what the "
             "scheduler says (SLURM_JOB_END_TIME)"},
    {"train.thermal", CONFIG_SECTION,
     .help = "Gives a hot machine time: saved, waited, gone on with (docs/doctor.md)"},
    {"train.thermal.pause", CONFIG_NUMBER, NULL, 30, 150, AT(thermal_pause), RESUMABLE,
     .help = "degrees Celsius of the hottest sensor from which on it waits; null: never"},
    {"train.thermal.resume", CONFIG_NUMBER, "75", 0, 150, AT(thermal_resume), RESUMABLE,
     .help = "degrees below which it goes on"},
    {"train.threads", CONFIG_INT, NULL, 1, 1024, AT(threads),
     .help = "by default as many as this process may use"},

    {"precision", CONFIG_ENUM, "fp32", .choices = PRECISION_CHOICES, AT(precision),
     .help = "of products in training (docs/precision.md): f32; f32 from three products in bf16 "
             "where that is faster; or bf16, with what "
             "is kept for the way back. Weights, and all that comes after training, are f32"},

    {"memory", CONFIG_SECTION,
     .help = "What training may use, all told; a run that needs more is refused before it starts"},
    {"memory.profile", CONFIG_ENUM, "auto", .choices = "auto|16gb|24gb|48gb", RESUMABLE,
     .help = "budget of a machine of that size: 12, 18, 40 GiB; auto: the largest that fits this "
             "machine; one that is larger than this "
             "machine is refused"},
    {"memory.budget", CONFIG_BYTES, NULL, 1 << 20, INFINITY, RESUMABLE,
     .help = "the budget itself, instead of a profile's"},
    {"memory.micro_batch", CONFIG_TEXT, "auto", RESUMABLE,
     .help = "items that are computed at once, a divisor of batch_size x grad_accum; auto: what is "
             "fastest within the budget"},
    {"memory.recompute", CONFIG_ENUM, "auto", .choices = "auto|none|all", AT(recompute), RESUMABLE,
     .help = "drop activations and compute them again in the backward pass: as few as fit the "
             "budget, none, or all"},
    {"memory.activations", CONFIG_ENUM, "fp32", .choices = "fp32|bf16|auto", AT(activations),
     .help = "what lives from the forward to the backward pass: as it was computed; rounded to "
             "bf16, in half the room (precision bf16 always "
             "does); or rounded only where the budget would have parts computed twice"},
    {"memory.beside_llm", CONFIG_BOOL, "false", RESUMABLE,
     .help = "a language model stays resident beside us: 7, 7, 2 GiB instead, since the model that "
             "one chooses grows with the machine "
             "(8.5, 16.5, 45.5 GB)"},

    {"lora", CONFIG_SECTION,
     .help = "Low-rank adapters instead of the weights themselves (docs/lora.md); names and rules "
             "are those of Hugging Face PEFT's LoraConfig"},
    {"lora.base", CONFIG_TEXT, NULL, AT(lora_base),
     .help = "the checkpoint, or run folder, whose model is adapted; its weights stay as they are"},
    {"lora.target_modules", CONFIG_TEXTS, NULL, .least = 1, .most = 4096, AT(lora.targets),
     .help = "turns adapters on: [names] of layers (whole, or their end behind a dot), a regular "
             "expression that fits whole names, or "
             "all-linear"},
    {"lora.exclude_modules", CONFIG_TEXTS, NULL, AT(lora.exclude),
     .help = "layers that are no targets after all: names or a regular expression, as above"},
    {"lora.r", CONFIG_INT, "8", 1, 4096, AT(lora.r), .help = "rank of an adapter"},
    {"lora.alpha", CONFIG_NUMBER, "16", 0, 1e6, .alias = "lora.lora_alpha", AT(lora.alpha),
     .help = "an adapter counts alpha / r times"},
    {"lora.dropout", CONFIG_NUMBER, "0", 0, 0.999, .alias = "lora.lora_dropout", AT(lora.dropout),
     .help = "of an adapter's input (linear layers; PEFT has none for matrices of an LSTM)"},
    {"lora.rslora", CONFIG_BOOL, "false", .alias = "lora.use_rslora", AT(lora.rslora),
     .help = "alpha / sqrt(r) instead"},
    {"lora.dora", CONFIG_BOOL, "false", .alias = "lora.use_dora", AT(lora.dora),
     .help = "DoRA: the lengths of a layer's rows are learnt, too, under weight decay as all that "
             "is trained; linear layers, convolutions"},
    {"lora.modules_to_save", CONFIG_TEXTS, NULL, AT(lora.save),
     .help = "modules that are trained whole beside the adapters"},
    {"lora.rank_pattern", CONFIG_MAP, NULL, 1, 4096, AT(lora.ranks),
     .help = "{name or regular expression: rank}; the first that fits"},
    {"lora.alpha_pattern", CONFIG_MAP, NULL, 0, 1e6, AT(lora.alphas),
     .help = "{name or regular expression: alpha}; the first that fits"},
    {"lora.layers_to_transform", CONFIG_NUMBERS, NULL, 0, 1e6,
     .help = "of numbered layers only these"},
    {"lora.layers_pattern", CONFIG_TEXTS, "[layers]", AT(lora.layers_pattern),
     .help = "the list that layers_to_transform numbers"},

    {"logging", CONFIG_SECTION, .help = "What a run tells"},
    {"logging.every", CONFIG_INT, "10", 1, 1e9, AT(log_every),
     .help = "steps between two lines of metrics.jsonl"},
    {"logging.tensorboard", CONFIG_BOOL, "true", AT(tensorboard), RESUMABLE,
     .help = "write TensorBoard event files into the run folder"},
};
// Two numbers that are one key's lie side by side.
_Static_assert(offsetof(optim_hyper, beta2) == offsetof(optim_hyper, beta1) + sizeof(float),
               "optim.betas");

// The sizes of each model that has any, and then all the rest.
static bool more(size_t part, config_rows *rows)
{
    const model_def *m = model_at((int)part);
    if (m)
        *rows = (config_rows){m->options, (size_t)m->n_options};
    else
        *rows = (config_rows){keys, sizeof keys / sizeof *keys};
    return part <= (size_t)model_count();
}

bool train_options_fill(const config *c, train_options *o, err *e)
{
    return config_fill(c, first, sizeof first / sizeof *first, o, e) &&
           config_fill(c, keys, sizeof keys / sizeof *keys, o, e);
}

const config_table train_table = {.what = "training",
                                  .keys = first,
                                  .n = sizeof first / sizeof *first,
                                  .more = more,
                                  .others = train_others,
                                  .nothing = train_lora_nothing};
