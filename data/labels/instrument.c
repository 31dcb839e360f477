// SPDX-License-Identifier: GPL-3.0-or-later
// instrument.c: what is known of a note of an instrument (instrument_groups.def).
//
//     family, specific        NSynth's family, and its pair of family and source
//     register                of the pitch: below 48 bass, below 72 mid, else treble
//     dynamic_range           of the velocity: below 32 pp, below 64 p, below 96 f, else ff
//     brightness, attack,     measured in the sound (sound_shape.h)
//     sustain
//
// The index gives instrument_family_str, instrument_source_str, pitch and velocity, as NSynth's
// examples.json has them; a manifest may have the same fields. A copy that was transposed has
// another pitch, one that was made louder another velocity. Nothing that is asked for here says
// anything of the other questions.
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "data/labels/labels.h"

#define GROUP(name, ...) static const char *const names_##name[] = {__VA_ARGS__};
#include "data/labels/instrument_groups.def"
#undef GROUP

static const label_group groups[] = {
#define GROUP(name, ...) {#name, names_##name, sizeof names_##name / sizeof *names_##name},
#include "data/labels/instrument_groups.def"
#undef GROUP
};

// In the order of `groups`.
typedef enum group_id {
#define GROUP(name, ...) ID_##name,
#include "data/labels/instrument_groups.def"
#undef GROUP
    GROUPS
} group_id;
_Static_assert((int)GROUPS <= (int)LABEL_GROUPS, "label_set_tell's callers have room for so many");

static const struct {
    const char *theirs, *ours;
} families[] = {
#define FAMILY(theirs, ours) {theirs, ours},
#include "data/labels/nsynth_family.def"
#undef FAMILY
};

static void tell_family(const label_item *item, int32_t *classes)
{
    const char *family = json_str(json_get(item->attributes, "instrument_family_str"), NULL),
               *source = json_str(json_get(item->attributes, "instrument_source_str"), NULL);
    arena a = {.name = "pair"};
    for (size_t i = 0; family && i < sizeof families / sizeof *families; i++)
        if (!strcmp(family, families[i].theirs))
            classes[ID_family] = label_class(&groups[ID_family], families[i].ours);
    if (family && source)
        classes[ID_specific] =
            label_class(&groups[ID_specific], arena_printf(&a, "%s_%s", family, source));
    arena_free(&a);
}

// -1 where there is no such number.
static double number(const label_item *item, const char *name)
{
    return json_num(json_get(item->attributes, name), -1);
}

static bool tell_pitch(const label_item *item, int32_t *classes, err *e)
{
    double pitch = number(item, "pitch"), velocity = number(item, "velocity");
    if (pitch > 127 || velocity > 127)
        return err_set(e, ERR_VALUE, "'%s' is a number from 0 to 127, not %g",
                       pitch > 127 ? "pitch" : "velocity", pitch > 127 ? pitch : velocity);
    if (pitch >= 0) {
        double now = pitch + item->semitones;
        classes[ID_register] = now < 48 ? 0 : now < 72 ? 1 : 2;
    }
    if (velocity >= 1) {
        double now = velocity * item->velocity;
        classes[ID_dynamic_range] = now < 127 ? (int32_t)now / 32 : 3;
    }
    return true;
}

static void tell_sound(const sound_shape *s, int32_t *classes)
{
    if (!s || !sound_shape_heard(s))
        return;
    classes[ID_brightness] = sound_brightness_class(s->brightness);
    classes[ID_attack] = sound_attack_class(s->attack);
    classes[ID_sustain] = sound_sustain_class(s->sustain);
}

static bool tell(const label_item *item, int32_t *classes, err *e)
{
    tell_family(item, classes);
    tell_sound(item->sound, classes);
    return tell_pitch(item, classes, e);
}

const label_set label_set_instrument = {
    .name = "instrument",
    .help = "of notes: family, instrument, register, dynamics, and how they begin, stay and shine",
    .groups = groups,
    .n_groups = GROUPS,
    .hears = true,
    .tell = tell,
};
