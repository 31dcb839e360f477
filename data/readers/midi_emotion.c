// SPDX-License-Identifier: GPL-3.0-or-later
// midi_emotion.c: MIDI files with what they are said to express (formats.md 3.6), in either of two
// layouts:
//
//     an index, labels.csv or labels.jsonl (EMOPIA: Hung et al., 2021) or what `index` names, with
//     the columns
//         path      or midi_path, midi_filename, midi: relative to the folder of the index
//         quadrant  Q1 to Q4 of Russell's plane, or label, emotion: a name of
//                   data/music/emotions.def; any name where valence and arousal
//         are given valence, arousal in [-1, 1]; split; synthetic (true or false); song_id or
//         group, song, performer, artist: what must not be parted
//     a folder of X.mid and X.json, a list of 64 numbers (valence, arousal, 62 more); X.json lies
//     beside X.mid or in a folder emotion64 beside that of X.mid
//
// A file that the index gives two labels is refused in both rows, since neither is to be trusted;
// so is a quadrant that contradicts its valence and arousal, as where Q2 (tense) and Q4 (calm) were
// swapped. A file without its partner is named.
// Memory: 24 bytes a row of the index, to find the labels that differ.
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/order.h"
#include "base/str.h"
#include "data/midi/midi.h"
#include "data/music/emotions.h"
#include "data/readers/reader.h"
#include "data/readers/rows.h"
#include "data/readers/walk.h"

#define PATHS  "path|midi_path|midi_filename|midi"
#define LABELS "quadrant|label|emotion"
#define GROUPS "song_id|group|song|performer|artist"
enum { VECTOR_BYTES = 1 << 16 }; // of X.json

static const char *const quadrants[] = {"Q1", "Q2", "Q3", "Q4"};
static const char *const columns[] = {PATHS, NULL};
static const char *const taken[] = {PATHS,     LABELS,    GROUPS,      "split",
                                    "valence", "arousal", "synthetic", NULL};

typedef struct said {
    uint64_t path, label; // digests
    int64_t line;
} said;

typedef struct state {
    const char *index, *root; // NULL: a folder of pairs
    rows *rows;
    said *said; // [n] of all rows, sorted by path and line
    size_t n, room;
    walk *walk;
} state;

// ---- An index

static const char *find_index(arena *a, const char *root)
{
    static const char *const names[] = {"labels.csv", "labels.jsonl"};
    for (size_t i = 0; i < 2; i++)
        if (file_exists(path_join(a, root, names[i])))
            return names[i];
    return NULL;
}

// FNV-1a, 64 bits: two of a million names are alike once in 40 million indexes, and then both are
// named.
static uint64_t digest_of(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

static int by_path(const void *a, const void *b)
{
    const said *x = a, *y = b;
    return x->path != y->path ? (x->path > y->path) - (x->path < y->path)
                              : (x->line > y->line) - (x->line < y->line);
}

static void remember(state *s, const char *path, const char *label)
{
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->said =
            base_checked(realloc(s->said, s->room * sizeof *s->said), s->room * sizeof *s->said);
    }
    s->said[s->n++] = (said){digest_of(path), label ? digest_of(label) : 0, rows_line(s->rows)};
}

// The first pass: who says what about whom.
static bool scan(state *s, err *e)
{
    arena a = {.name = "index"};
    pull step;
    s->rows = rows_open(s->index, columns, e);
    while (s->rows && (step = rows_next(s->rows, e)) != PULL_END) {
        const char *path, *label;
        if (step == PULL_ONE && rows_need(s->rows, &a, PATHS, &path, e) &&
            rows_text(s->rows, &a, LABELS, &label, e))
            remember(s, path, label);
        arena_reset(&a);
    }
    bool ok = s->rows && e->code == ERR_NONE;
    rows_close(s->rows);
    s->rows = NULL;
    arena_free(&a);
    if (ok && s->n)
        qsort(s->said, s->n, sizeof *s->said, by_path);
    return ok;
}

static bool path_below(const void *list, size_t i, const void *than)
{
    return ((const said *)list)[i].path < *(const uint64_t *)than;
}

static bool check_twins(const state *s, const char *path, const char *label, err *e)
{
    uint64_t of = digest_of(path), says = label ? digest_of(label) : 0;
    for (size_t i = order_first(s->said, s->n, path_below, &of); i < s->n && s->said[i].path == of;
         i++)
        if (s->said[i].label != says) {
            int64_t here = rows_line(s->rows), other = s->said[i].line;
            return err_set(e, ERR_VALUE,
                           "'%s' has two labels, in lines %" PRId64 " and %" PRId64 "; keep one",
                           path, here < other ? here : other, here < other ? other : here);
        }
    return true;
}

static bool check_quadrant(const reader_item *item, int quadrant, err *e)
{
    static const int signs[4][2] = {{1, 1}, {-1, 1}, {-1, -1}, {1, -1}};
    if (isnan(item->valence) ||
        (item->valence * signs[quadrant][0] >= 0 && item->arousal * signs[quadrant][1] >= 0))
        return true;
    return err_set(e, ERR_VALUE,
                   "'%s': %s is %s valence and %s arousal, but valence is %g and arousal %g",
                   item->path, quadrants[quadrant], signs[quadrant][0] > 0 ? "high" : "low",
                   signs[quadrant][1] > 0 ? "high" : "low", item->valence, item->arousal);
}

static bool unknown_label(const reader_item *item, const char *const *names, size_t n,
                          const char *what, err *e)
{
    const char *near = str_nearest(item->label, names, n);
    return err_set(e, ERR_VALUE, "'%s': label '%s' is no %s%s%s%s", item->path, item->label, what,
                   near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "; give valence and arousal beside it");
}

static bool check_label(const state *s, arena *a, const reader_item *item, err *e)
{
    const char *quadrant;
    if (!rows_text(s->rows, a, "quadrant", &quadrant, e))
        return false;
    for (int i = 0; i < 4; i++)
        if (item->label && !strcmp(item->label, quadrants[i]))
            return check_quadrant(item, i, e);
    if (quadrant)
        return unknown_label(item, quadrants, 4, "quadrant, Q1 to Q4", e);
    if (!item->label)
        return !isnan(item->valence) ||
               err_set(e, ERR_VALUE, "'%s' has neither a label nor valence and arousal",
                       item->path);
    if (!isnan(item->valence) || emotion_find(item->label))
        return true;
    const char **names = NEW(a, const char *, emotion_count());
    for (size_t i = 0; i < emotion_count(); i++)
        names[i] = emotion_at(i)->name;
    return unknown_label(item, names, emotion_count(), "known emotion", e);
}

static bool take_row(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    arena *a = &r->item;
    if (!rows_need(s->rows, a, PATHS, &item->path, e) ||
        !rows_text(s->rows, a, LABELS, &item->label, e) ||
        !rows_text(s->rows, a, GROUPS, &item->group, e) ||
        !rows_text(s->rows, a, "split", &item->split, e) ||
        !rows_num(s->rows, "valence", -1, 1, &item->valence, e) ||
        !rows_num(s->rows, "arousal", -1, 1, &item->arousal, e) ||
        !rows_bool(s->rows, "synthetic", &item->synthetic, e))
        return false;
    if (isnan(item->valence) != isnan(item->arousal))
        return err_set(e, ERR_VALUE, "'%s' has only one of valence and arousal", item->path);
    if (item->split && !reader_split_ok(item->split))
        return err_set(e, ERR_VALUE,
                       "'%s': split '%s' is not a name of up to %d letters, digits, - and _",
                       item->path, item->split, READER_SPLIT);
    item->midi = reader_resolve(a, s->root, item->path, r->options.outside, e);
    item->attributes = rows_attributes(s->rows, a, taken);
    return item->midi && check_twins(s, item->path, item->label, e) && check_label(s, a, item, e);
}

static pull next_row(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    pull step = rows_next(s->rows, e);
    item->line = rows_line(s->rows);
    if (step == PULL_END)
        return PULL_END;
    if (step == PULL_ONE && take_row(r, item, e))
        return PULL_ONE;
    err_trail(e, "%s", rows_where(s->rows, &r->item));
    return PULL_BAD;
}

// ---- A folder of pairs

// "x/midis/a.mid" -> "x/midis" and "a"
static char *sibling(arena *a, const char *path, const char *folder)
{
    const char *dir = path_dir(a, path), *up = strcmp(dir, ".") != 0 ? path_dir(a, dir) : NULL;
    return up ? arena_printf(a, "%s/%s/%s", up, folder, path_stem(a, path))
              : arena_printf(a, "%s/%s", folder, path_stem(a, path));
}

static const char *upper_end(char *path, size_t n)
{
    for (char *p = path + strlen(path) - n; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return path;
}

// The first of BESIDE.ending and SIBLING.ending that is there, or NULL.
static const char *partner(const reader *r, arena *a, const char *path, const char *folder,
                           const char *const *endings)
{
    const char *stems[] = {arena_printf(a, "%s/%s", path_dir(a, path), path_stem(a, path)),
                           sibling(a, path, folder)};
    for (size_t i = 0; i < 2; i++)
        for (const char *const *x = endings; *x; x++) {
            char *file = path_join(a, r->options.root, arena_printf(a, "%s%s", stems[i], *x));
            if (file_exists(file) || file_exists(upper_end(file, strlen(*x))))
                return file;
        }
    return NULL;
}

static bool take_numbers(const json *j, float *out, err *e)
{
    if (json_type(j) != JSON_ARRAY || json_len(j) != EMOTION_SIZE)
        return err_set(e, ERR_VALUE, "this is not a list of %d numbers but %s %zu", EMOTION_SIZE,
                       json_type(j) == JSON_ARRAY ? "one of" : "something else, of length",
                       json_len(j));
    for (size_t i = 0; i < EMOTION_SIZE; i++) {
        double most = i < 2 ? 1 : 1e6, x = json_num(json_at(j, i), NAN);
        if (!(fabs(x) <= most))
            return err_set(e, ERR_VALUE, "element %zu must be a number from %g to %g", i, -most,
                           most);
        out[i] = (float)x;
    }
    return true;
}

static bool read_vector(reader *r, const char *file, reader_item *item, err *e)
{
    size_t n;
    float *v = NEW(&r->item, float, EMOTION_SIZE);
    const char *text = file_read(&r->item, file, VECTOR_BYTES, &n, e);
    json *j = text ? json_parse(text, n, e) : NULL;
    bool ok = j && take_numbers(j, v, e);
    json_free(j);
    item->emotion = v, item->valence = v[0], item->arousal = v[1];
    return ok || (text ? err_trail(e, "'%s'", file) : false);
}

static bool take_pair(reader *r, reader_item *item, err *e)
{
    static const char *const endings[] = {".json", NULL};
    const char *file = partner(r, &r->item, item->path, "emotion64", endings);
    item->midi = path_join(&r->item, r->options.root, item->path);
    if (!file)
        return err_set(e, ERR_MISSING,
                       "'%s' has no emotion: there is no %s.json beside it or in emotion64",
                       item->path, path_stem(&r->item, item->path));
    return read_vector(r, file, item, e);
}

// Is this an emotion without its music? Other JSON files are nobody's business.
static bool is_widow(reader *r, const char *path)
{
    err ignored = {0};
    size_t n;
    if (partner(r, &r->item, path, "midis", midi_endings))
        return false;
    const char *text =
        file_read(&r->item, path_join(&r->item, r->options.root, path), VECTOR_BYTES, &n, &ignored);
    json *j = text ? json_parse(text, n, &ignored) : NULL;
    bool list = json_type(j) == JSON_ARRAY;
    json_free(j);
    return list;
}

static pull next_file(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    const char *path;
    for (;;) {
        pull step = walk_next(s->walk, &path, e);
        if (step == PULL_END)
            return PULL_END;
        item->path = arena_strdup(&r->item, path);
        if (step == PULL_BAD)
            return PULL_BAD;
        if (str_ends_any(path, midi_endings))
            return take_pair(r, item, e) ? PULL_ONE : PULL_BAD;
        if (is_widow(r, path)) {
            err_set(e, ERR_MISSING, "'%s' is an emotion without its MIDI file", item->path);
            return PULL_BAD;
        }
        arena_reset(&r->item);
    }
}

// ---- Either

static bool probe(const char *root)
{
    static const char *const vector[] = {".json", NULL};
    arena a = {0};
    err e = {0};
    const char *path;
    bool found = find_index(&a, root) != NULL;
    walk *w = found ? NULL : walk_open(root, NULL, midi_endings, 2, &e);
    if (w && walk_next(w, &path, &e) == PULL_ONE) {
        reader r = {.options.root = root};
        found = partner(&r, &a, path, "emotion64", vector) != NULL;
    }
    walk_close(w);
    arena_free(&a);
    return found;
}

static const char *const *with_vectors(arena *a)
{
    size_t n = 0;
    while (midi_endings[n])
        n++;
    const char **all = NEW(a, const char *, n + 2);
    memcpy(all, midi_endings, n * sizeof *all);
    all[n] = ".json";
    return all;
}

static bool open_either(reader *r, err *e)
{
    state *s = r->state = NEW(&r->memory, state, 1);
    const char *index =
        r->options.index ? r->options.index : find_index(&r->memory, r->options.root);
    if (!index) {
        s->walk = walk_open(r->options.root, NULL, with_vectors(&r->memory), WALK_DEPTH, e);
        return s->walk != NULL;
    }
    s->index = path_join(&r->memory, r->options.root, index);
    s->root = path_dir(&r->memory, s->index);
    s->rows = scan(s, e) ? rows_open(s->index, columns, e) : NULL;
    return s->rows != NULL;
}

static pull next(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    return s->index ? next_row(r, item, e) : next_file(r, item, e);
}

static void close_either(reader *r)
{
    state *s = r->state;
    if (!s)
        return;
    rows_close(s->rows);
    walk_close(s->walk);
    free(s->said);
}

const reader_def reader_midi_emotion = {
    .name = "midi_emotion",
    .help = "MIDI with emotions: an index of labels (EMOPIA's labels.csv, labels.jsonl), or X.mid "
            "with X.json of 64 numbers",
    .licence = "",
    .citation = "",
    .needs_root = true,
    .no_audio = true,
    .probe = probe,
    .open = open_either,
    .next = next,
    .close = close_either,
};
