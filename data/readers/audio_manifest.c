// SPDX-License-Identifier: GPL-3.0-or-later
// audio_manifest.c: a person's own audio, listed in a JSONL file: one JSON object a line
// (formats.md 3.6; NeMo's manifests are such).
//
//     {"path": "wav/a.wav", "label": "joy", "speaker": "03", "split": "train"}
//
//     path      or audio_filepath, wav, audio: relative to the folder of the manifest
//     label     or emotion, text: whichever comes first in this order; may be missing
//     valence, arousal in [-1, 1], intensity in [0, 1]; offset, duration in seconds (duration 0 or
//     missing: to the end)
//     midi      or midi_filename, midi_filepath: the same music as MIDI; looked at only where
//               features of MIDI are asked for, and an attribute in any case
//     group     or speaker, singer, performer, artist, song: what must not be parted by the splits
//     split     train, val, test or another name: the shards are called after it; synthetic: true
//               or false
//
// Other keys are kept as attributes (attributes.h). Blank lines are skipped. A `duration` without
// an `offset` that is the whole file's length, as NeMo writes it, is harmless: the part ends with
// the file.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/readers/attributes.h"
#include "data/readers/lines.h"
#include "data/readers/reader.h"

#define DEFAULT_INDEX "manifest.jsonl"
#define PATHS         "path|audio_filepath|wav|audio"
#define MIDIS         "midi|midi_filename|midi_filepath"
#define LABELS        "label|emotion|text"
#define GROUPS        "group|speaker|singer|performer|artist|song"
enum { TEXT_MOST = 4096 }; // bytes of a path or name

static const char *const taken[] = {PATHS,      LABELS,      GROUPS,      "split",
                                    "valence",  "arousal",   "intensity", "offset",
                                    "duration", "synthetic", NULL};

typedef struct state {
    lines *lines;
    const char *path, *root; // of the manifest, and its folder
} state;

static bool probe(const char *root)
{
    arena a = {0};
    bool found = file_exists(path_join(&a, root, DEFAULT_INDEX));
    arena_free(&a);
    return found;
}

static bool open_manifest(reader *r, err *e)
{
    state *s = r->state = NEW(&r->memory, state, 1);
    s->path =
        path_join(&r->memory, r->options.root, r->options.index ? r->options.index : DEFAULT_INDEX);
    s->root = path_dir(&r->memory, s->path);
    s->lines = lines_open(s->path, e);
    return s->lines != NULL;
}

// The value of the first of the names "a|b|c" that is there. True with *out NULL: none is, or it is
// null.
static bool get_text(reader *r, const json *j, const char *names, const char **out, err *e)
{
    *out = NULL;
    for (char name[64]; str_name(&names, name);) {
        const json *v = json_get(j, name);
        if (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL)
            continue;
        const char *s = json_str(v, NULL);
        if (json_type(v) == JSON_NUMBER && json_num(v, 0) == floor(json_num(v, 0)) &&
            fabs(json_num(v, 0)) < 1e15)
            s = arena_printf(&r->item, "%" PRId64, json_int(v, 0)); // "speaker": 3
        if (!s)
            return err_set(e, ERR_VALUE, "'%s' must be a text", name);
        if (!*s)
            return err_set(e, ERR_VALUE, "'%s' is empty", name);
        if (strlen(s) > TEXT_MOST)
            return err_set(e, ERR_VALUE, "'%s' is longer than %d bytes", name, TEXT_MOST);
        *out = arena_strdup(&r->item, s);
        return true;
    }
    return true;
}

static bool get_num(const json *j, const char *name, double least, double most, double *out, err *e)
{
    const json *v = json_get(j, name);
    if (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL)
        return true;
    double x = json_num(v, NAN);
    if (json_type(v) != JSON_NUMBER || !(x >= least && x <= most))
        return err_set(e, ERR_VALUE, "'%s' must be a number from %g to %g", name, least, most);
    *out = x;
    return true;
}

static bool get_names(reader *r, const json *j, reader_item *item, err *e)
{
    const state *s = r->state;
    if (!get_text(r, j, PATHS, &item->path, e) || !get_text(r, j, LABELS, &item->label, e) ||
        !get_text(r, j, GROUPS, &item->group, e) || !get_text(r, j, "split", &item->split, e))
        return false;
    if (!item->path)
        return err_set(e, ERR_VALUE, "there is no 'path' (nor audio_filepath, wav, audio)");
    if (item->split && !reader_split_ok(item->split))
        return err_set(e, ERR_VALUE,
                       "'%s': split '%s' is not a name of up to %d letters, digits, - and _",
                       item->path, item->split, READER_SPLIT);
    item->file = reader_resolve(&r->item, s->root, item->path, r->options.outside, e);
    return item->file != NULL;
}

static bool get_midi(reader *r, const json *j, reader_item *item, err *e)
{
    const state *s = r->state;
    const char *midi;
    if (!r->options.midi || !get_text(r, j, MIDIS, &midi, e))
        return !r->options.midi;
    if (midi)
        item->midi = reader_resolve(&r->item, s->root, midi, r->options.outside, e);
    return !midi || item->midi;
}

static bool get_numbers(const json *j, reader_item *item, err *e)
{
    if (!get_num(j, "valence", -1, 1, &item->valence, e) ||
        !get_num(j, "arousal", -1, 1, &item->arousal, e) ||
        !get_num(j, "intensity", 0, 1, &item->intensity, e) ||
        !get_num(j, "offset", 0, 1e7, &item->offset, e) ||
        !get_num(j, "duration", 0, 1e7, &item->duration, e))
        return err_trail(e, "'%s'", item->path);
    if (isnan(item->valence) != isnan(item->arousal))
        return err_set(e, ERR_VALUE, "'%s' has only one of valence and arousal", item->path);
    const json *v = json_get(j, "synthetic");
    item->synthetic = json_bool(v, false);
    return true;
}

static bool parse(reader *r, const char *text, size_t n, reader_item *item, err *e)
{
    json *j = json_parse(text, n, e);
    bool ok = j != NULL;
    if (ok && json_type(j) != JSON_OBJECT)
        ok = err_set(e, ERR_FORMAT, "the line is not a JSON object");
    ok = ok && get_names(r, j, item, e) && get_midi(r, j, item, e) && get_numbers(j, item, e);
    item->attributes = ok ? attributes_of(&r->item, j, taken) : NULL;
    json_free(j);
    return ok;
}

static bool blank(const char *s, size_t n)
{
    return n == strspn(s, " \t");
}

static pull next(reader *r, reader_item *item, err *e)
{
    state *s = r->state;
    for (;;) {
        char *text;
        size_t n;
        pull step = lines_next(s->lines, &text, &n, e);
        item->line = lines_number(s->lines);
        if (step == PULL_END)
            return PULL_END;
        if (step == PULL_ONE && blank(text, n))
            continue;
        if (step == PULL_ONE && parse(r, text, n, item, e))
            return PULL_ONE;
        err_trail(e, "'%s' line %" PRId64, s->path, item->line);
        return PULL_BAD;
    }
}

static void close_manifest(reader *r)
{
    state *s = r->state;
    if (s)
        lines_close(s->lines);
}

const reader_def reader_audio_manifest = {
    .name = "audio_manifest",
    .help = "audio files listed in a JSONL manifest: {\"path\", \"label\", ...} a line",
    .licence = "",
    .citation = "",
    .needs_root = true,
    .probe = probe,
    .open = open_manifest,
    .next = next,
    .close = close_manifest,
};
