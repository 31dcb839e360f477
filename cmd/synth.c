// SPDX-License-Identifier: GPL-3.0-or-later
// synth.c: writes a small labelled corpus, so that everything can be tried where no data is at hand.
#include "data/synth.h"

#include <math.h>

#include "base/hw.h"
#include "cmd/cmd.h"

static const option options[] = {
    {"items", 'n', OPT_INT, "N", "clips (default 400)", false},
    {"seconds", 's', OPT_NUM, "S", "seconds of a clip (default 3)", false},
    {"seed", 0, OPT_INT, "K", "another seed, another corpus (default 0)", false},
    {0},
};

typedef struct view {
    progress *line;
} view;

static void told(void *user, int64_t done)
{
    view *v = user;
    progress_at(v->line, (uint64_t)done, "clips");
}

static void report(cmd *c, const synth_options *o, double seconds)
{
    json *j = json_object();
    json_set_str(j, "manifest", path_join(c->arena, c->args[0], "manifest.jsonl"));
    json_set_int(j, "items", o->items);
    json_set_num(j, "audio_seconds", (double)o->items * o->seconds);
    json_set_num(j, "seconds", seconds);
    json_set_bool(j, "synthetic", true);
    cmd_json(c, j);
    cmd_print(c, "%s: %lld synthetic clips of %g seconds (grief, joy, calm, anger)", path_join(c->arena, c->args[0], "manifest.jsonl"),
              (long long)o->items, o->seconds);
}

static bool run(cmd *c, err *e)
{
    synth_options o = {.items = option_int(c, "items", SYNTH_ITEMS),
                       .seconds = option_num(c, "seconds", SYNTH_SECONDS),
                       .seed = (uint64_t)option_int(c, "seed", 0)};
    if (!synth_check(&o, e) || !cmd_threads(c, 0, e))
        return false;
    double since = hw_seconds();
    view v = {progress_open(c, "synth", (uint64_t)o.items)};
    bool ok = synth_write(c->args[0], &o, &c->env, told, &v, e);
    progress_close(v.line);
    if (ok)
        report(c, &o, hw_seconds() - since);
    return ok;
}

const command cmd_synth = {
    .name = "synth",
    .summary = "Makes a synthetic corpus of labelled audio",
    .usage = "DIR [--items N] [--seconds S] [--seed K]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .polls_stop = true,
    .details = "Writes DIR/wav/*.wav (16 kHz, 16 bit) and DIR/manifest.jsonl with labels, valence, arousal, groups and splits. Tempo, "
               "mode, register,\n"
               "articulation, loudness and brightness follow the emotion. Every line of the manifest says that it is synthetic.",
    .example = "kmidi synth corpus --items 400",
    .run = run,
};
