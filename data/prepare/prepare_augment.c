// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_augment.c: which copies of recordings a config asks for (augment_clip.h), checked and as
// text for keys and shards.
#include <string.h>

#include "base/json.h"
#include "data/audio/stretch.h"
#include "data/prepare/prepare_internal.h"

static void set_range(json *j, const char *name, const double range[2])
{
    json *list = json_array();
    json_push_num(list, range[0]);
    json_push_num(list, range[1]);
    json_set(j, name, list);
}

static const char *as_text(arena *a, const augment_clip_settings *s, bool stretched, bool shifted)
{
    strbuf text = {0};
    json *j = json_object();
    json_set_int(j, "copies", s->copies);
    if (s->transpose[0] != 0 || s->transpose[1] != 0)
        set_range(j, "transpose", s->transpose);
    if (stretched)
        set_range(j, "stretch", s->stretch);
    if (shifted)
        set_range(j, "pitch", s->pitch);
    if (s->tilt > 0)
        json_set_num(j, "tilt", s->tilt);
    if (s->noisy)
        set_range(j, "noise", s->noise);
    if (s->gain[0] != 0 || s->gain[1] != 0)
        set_range(j, "gain", s->gain);
    json_set_int(j, "seed", (int64_t)s->seed);
    json_dump(j, 0, &text);
    const char *kept = strbuf_keep(&text, a);
    json_free(j);
    return kept;
}

bool prepare_augment_read(prepare *p, err *e)
{
    const config *c = p->config;
    augment_clip_settings s = p->augment;
    bool stretched = config_given(c, "augment.stretch"), shifted = config_given(c, "augment.pitch");
    s.noisy = config_given(c, "augment.noise");
    bool transposed = s.transpose[0] != 0 || s.transpose[1] != 0,
         louder = s.gain[0] != 0 || s.gain[1] != 0;
    p->augment = (augment_clip_settings){0};
    if (s.copies == 0 || !(transposed || stretched || shifted || s.tilt > 0 || s.noisy || louder))
        return true;
    if (!p->feature)
        return err_set(e, ERR_CONFIG,
                       "augment makes copies of audio; MIDI is varied while it is learnt from "
                       "(data.augment of a training "
                       "config): take augment out");
    if ((transposed || stretched || shifted) && prepare_of_midi(p))
        return err_set(e, ERR_CONFIG,
                       "%s: the MIDI beside the sound would not be as long or as high as a copy; "
                       "tilt and noise leave it right",
                       config_where(c, transposed  ? "augment.transpose"
                                       : stretched ? "augment.stretch"
                                                   : "augment.pitch"));
    if ((stretched || shifted) &&
        (p->feature->rate < STRETCH_RATE_LEAST || p->feature->rate > STRETCH_RATE_MOST))
        return err_set(e, ERR_CONFIG,
                       "%s: sound of %d Hz cannot be stretched or shifted, only of %d to %d Hz; "
                       "set mel.sample_rate to one",
                       config_where(c, stretched ? "augment.stretch" : "augment.pitch"),
                       p->feature->rate, STRETCH_RATE_LEAST, STRETCH_RATE_MOST);
    if ((stretched || shifted) && !stretch_ready(e))
        return false;
    p->augment = s;
    p->augment_text = as_text(&p->memory, &s, stretched, shifted);
    return true;
}

int prepare_copies(const prepare *p, const char *split)
{
    return reader_split_rank(split) == 1 ? p->augment.copies : 0;
}
