// SPDX-License-Identifier: GPL-3.0-or-later
// synth.c: writes a small labelled corpus, so that everything can be tried where no data is at
// hand.
#include "data/music/synth.h"

#include <math.h>

#include "base/hw.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"

static const option options[] = {
    {"items", 'n', OPT_INT, "N", "items (default 400)", false},
    {"seconds", 's', OPT_NUM, "S", "seconds of an item (default 3)", false},
    {"midi", 'm', OPT_FLAG, NULL, "MIDI files instead of audio: the same music", false},
    {"seed", 0, OPT_INT, "K", "another seed, another corpus (default 0)", false},
    {0},
};

typedef struct view {
    progress *line;
} view;

static void told(void *user, int64_t done)
{
    view *v = user;
    progress_at(v->line, (uint64_t)done, "items");
}

static void report(cmd *c, const synth_options *o, double seconds)
{
    json *j = json_object();
    const char *index = path_join(c->arena, c->args[0], synth_index(o));
    json_set_str(j, "manifest", index);
    json_set_int(j, "items", o->items);
    json_set_num(j, o->midi ? "midi_seconds" : "audio_seconds", (double)o->items * o->seconds);
    json_set_num(j, "seconds", seconds);
    json_set_bool(j, "synthetic", true);
    cmd_json(c, j);
    cmd_print(c, "%s: %lld synthetic %s of %g seconds (grief, joy, calm, anger)", index,
              (long long)o->items, o->midi ? "MIDI files" : "clips", o->seconds);
}

static bool run(cmd *c, err *e)
{
    synth_options o = {.items = option_int(c, "items", SYNTH_ITEMS),
                       .seconds = option_num(c, "seconds", SYNTH_SECONDS),
                       .seed = (uint64_t)option_int(c, "seed", 0),
                       .midi = option_given(c, "midi")};
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
    .summary = "Makes a synthetic corpus of labelled audio or MIDI",
    .usage = "DIR [--midi] [--items N] [--seconds S] [--seed K]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .polls_stop = true,
    .details = "Writes DIR/wav/*.wav (16 kHz, 16 bit) and DIR/manifest.jsonl with labels, "
               "valence, arousal, groups and splits. Tempo, mode, register, articulation, "
               "loudness and brightness follow the emotion. Every line of the manifest says "
               "that it is synthetic.\n"
               "With --midi the same music as DIR/midi/*.mid and DIR/labels.jsonl, for "
               "configs/data/midi_emotion.yaml.",
    .example = "kmidi synth corpus --items 400",
    .run = run,
};
