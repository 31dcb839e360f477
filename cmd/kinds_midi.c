// SPDX-License-Identifier: GPL-3.0-or-later
// kinds_midi.c: what a musician asks of a MIDI file: how long, how many notes, how fast, in which
// metre and key, by which instruments, and what it sounds like (kinds.h).
#include "cmd/kinds.h"
#include "data/features/feature.h"
#include "data/music/affect.h"
#include "data/music/key.h"
#include "data/music/midi_stats.h"
#include "data/music/tokens.h"

// By sharps from -7 on: the circle of fifths.
static const char *const majors[] = {"C flat", "G flat", "D flat", "A flat",  "E flat",
                                     "B flat", "F",      "C",      "G",       "D",
                                     "A",      "E",      "B",      "F sharp", "C sharp"};
static const char *const minors[] = {"A flat",  "E flat",  "B flat",  "F",       "C",
                                     "G",       "D",       "A",       "E",       "B",
                                     "F sharp", "C sharp", "G sharp", "D sharp", "A sharp"};

static void put_tempo(const midi_song *s, json *o)
{
    double least = 0, most = 0, end = midi_ticks(s, s->seconds);
    for (size_t i = 0; i < s->n_tempos; i++) {
        double bpm = 6e7 / s->tempos[i].us_per_quarter;
        if (i > 0 && s->tempos[i].tick >= end) // behind the music
            break;
        least = i == 0 || bpm < least ? bpm : least;
        most = i == 0 || bpm > most ? bpm : most;
    }
    json *tempo = json_object();
    json_set_num(tempo, "first", 6e7 / s->tempos[0].us_per_quarter);
    json_set_num(tempo, "least", least);
    json_set_num(tempo, "most", most);
    json_set_num(tempo, "mean",
                 s->seconds > 0 ? 60 * end / s->ticks_per_quarter / s->seconds
                                : 6e7 / s->tempos[0].us_per_quarter);
    json_set(o, "tempo", tempo);
}

static void put_metres_and_keys(const midi_song *s, json *o, arena *a)
{
    json *metres = json_array(), *keys = json_array();
    for (size_t i = 0; i < s->n_metres; i++)
        json_push_str(metres,
                      arena_printf(a, "%d/%d", s->metres[i].numerator, s->metres[i].denominator));
    for (size_t i = 0; i < s->n_keys; i++) {
        const midi_key *k = &s->keys[i];
        json_push_str(keys, arena_printf(a, "%s %s", (k->minor ? minors : majors)[k->sharps + 7],
                                         k->minor ? "minor" : "major"));
    }
    json_set(o, "metres", metres);
    json_set(o, "keys", keys);
}

// Each with its number of notes, counted from 1 as musicians do.
static void put_instruments(const midi_song *s, json *o, arena *a)
{
    json *list = json_object();
    int64_t drums = 0;
    for (size_t i = 0; i < s->n_instruments; i++) {
        const midi_instrument *x = &s->instruments[i];
        const char *name = x->is_drum ? "drums" : arena_printf(a, "channel %d", x->channel + 1);
        json_set_int(
            list, arena_printf(a, "track %d, %s, program %d", x->track + 1, name, x->program + 1),
            x->notes);
        drums += x->is_drum ? x->notes : 0;
    }
    json_set_int(o, "drum_notes", drums);
    json_set_int(o, "pedals", (int64_t)s->n_pedals);
    json_set(o, "instruments", list);
}

static void put_range(const midi_song *s, json *o)
{
    int least = 127, most = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        int p = s->notes[i].pitch;
        if (s->instruments[s->notes[i].instrument].is_drum)
            continue;
        least = p < least ? p : least;
        most = p > most ? p : most;
    }
    if (least <= most) {
        json_set_int(o, "lowest", least);
        json_set_int(o, "highest", most);
    }
}

// Estimates from the notes, whatever the file says of itself.
static void put_estimates(const midi_song *s, json *o, arena *a)
{
    static const char *const names[PITCH_CLASSES] = {
        "C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"};
    double w[PITCH_CLASSES];
    float x[MIDI_STATS];
    key_weights(s, w);
    midi_stats(a, s, x);
    key_estimate k = key_find(w);
    song_affect f = affect_estimate(a, s);
    json *to = json_object();
    if (k.found)
        json_set_str(to, "key",
                     arena_printf(a, "%s %s", names[k.tonic], k.minor ? "minor" : "major"));
    json_set_num(to, "major_less_minor", k.best_major - k.best_minor);
    json_set_num(to, "velocity", 127 * (double)x[MIDI_STATS_VELOCITY]);
    json_set_num(to, "notes_per_second", s->seconds > 0 ? (double)s->n_notes / s->seconds : 0);
    json_set_num(to, "articulation", (double)x[MIDI_STATS_ARTICULATION]);
    json_set_num(to, "valence", f.valence);
    json_set_num(to, "arousal", f.arousal);
    json_set(o, "estimates", to);
}

static bool put_tokens(const midi_song *s, json *o, arena *a, err *e)
{
    const feature_def *d = feature_find("tokens", e);
    feature *f = d ? feature_open(d, feature_settings(d, a), e) : NULL;
    feature_rows rows;
    bool ok = f && feature_song(f, s, a, &rows, e);
    if (ok)
        json_set_int(o, TOKENS_DIALECT, rows.n);
    feature_close(f);
    return ok;
}

static bool describe_midi(const char *path, json *o, arena *a, err *e)
{
    const midi_song *s = midi_read(a, path, e);
    if (!s)
        return false;
    json_set_int(o, "format", s->format);
    json_set_int(o, "tracks", s->tracks);
    json_set_int(o, s->smpte ? "ticks_per_second" : "ticks_per_quarter", s->ticks_per_quarter);
    json_set_num(o, "seconds", s->seconds);
    json_set_int(o, "notes", (int64_t)s->n_notes);
    json_set_int(o, "dropped", s->dropped);
    if (s->behind_end)
        json_set_int(o, "notes_behind_end_of_track", s->behind_end);
    put_range(s, o);
    put_tempo(s, o);
    put_metres_and_keys(s, o, a);
    put_instruments(s, o, a);
    put_estimates(s, o, a);
    return put_tokens(s, o, a, e);
}

static bool examine_midi(const char *path, const char **remark, arena *a, err *e)
{
    const midi_song *s = midi_read(a, path, e);
    if (s && s->behind_end)
        *remark = arena_printf(a, "%u note%s behind the end of a track %s not read", s->behind_end,
                               s->behind_end > 1 ? "s" : "", s->behind_end > 1 ? "are" : "is");
    return s != NULL;
}

const file_kind kind_midi = {.name = "midi", .describe = describe_midi, .examine = examine_midi};
