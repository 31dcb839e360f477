// SPDX-License-Identifier: GPL-3.0-or-later
// nsynth.c: NSynth (Engel et al., 2017; formats.md 3.6): single notes, FOLDER/examples.json and
// FOLDER/audio/<note_str>.wav.
//
// `root` holds nsynth-train, nsynth-valid and nsynth-test, or is one of them; `index:
// nsynth-test/examples.json` chooses one. The split is what the folder's name has behind "nsynth-".
// The label is the instrument's family, the group the instrument. All that the index says of a note
// is kept as the item's attributes. examples.json is read entry by entry: that of the training
// split has 289,205.
#include <string.h>

#include "base/names.h"
#include "base/str.h"
#include "data/readers/attributes.h"
#include "data/readers/entries.h"
#include "data/readers/reader.h"
#include "data/readers/walk.h"

static const char *const families[] = {"bass",     "brass",      "flute", "guitar",
                                       "keyboard", "mallet",     "organ", "reed",
                                       "string",   "synth_lead", "vocal"};
static const char *const sources[] = {"acoustic", "electronic", "synthetic"};
enum {
    FAMILIES = sizeof families / sizeof *families,
    SOURCES = sizeof sources / sizeof *sources,
    QUALITIES = 10
};

typedef struct state {
    walk *walk;      // over the folders' examples.json; NULL: `index` names the only one
    const char *one; // which is not read yet
    entries *entries;
    arena part;         // of the folder at hand
    const char *folder; // relative to root; "" is root itself
    const char *index, *split;
} state;

static bool is_index(const char *path)
{
    return !strcmp(path_base(path), "examples.json");
}

static walk *open_walk(const char *root, err *e)
{
    static const char *const endings[] = {"examples.json", NULL};
    return walk_open(root, NULL, endings, 2, e);
}

static bool probe(const char *root)
{
    err e = {0};
    const char *path;
    bool found = false;
    walk *w = open_walk(root, &e);
    for (pull s; w && !found && (s = walk_next(w, &path, &e)) != PULL_END;)
        found = s == PULL_ONE && is_index(path);
    walk_close(w);
    return found;
}

static bool open_folders(reader *r, err *e)
{
    state *s = r->state = NEW(&r->memory, state, 1);
    s->part.name = "nsynth";
    s->one = r->options.index;
    if (s->one)
        return true;
    s->walk = open_walk(r->options.root, e);
    return s->walk != NULL;
}

// "…/nsynth-valid" -> "valid"
static const char *split_of(arena *a, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    const char *name = path_base(arena_printf(a, "%.*s", (int)n, folder));
    return str_starts(name, "nsynth-") && reader_split_ok(name + 7) ? name + 7 : NULL;
}

static bool open_entries(reader *r, const char *path, err *e)
{
    state *s = r->state;
    arena_reset(&s->part);
    s->index = path_join(&s->part, r->options.root, path);
    s->folder = strchr(path, '/') ? path_dir(&s->part, path) : "";
    s->split = split_of(&s->part, path_dir(&s->part, s->index));
    s->entries = entries_open(s->index, e);
    return s->entries != NULL;
}

// The next folder's index. PULL_ONE: it is open.
static pull next_folder(reader *r, err *e)
{
    state *s = r->state;
    const char *path = s->one;
    s->one = NULL;
    if (path)
        return open_entries(r, path, e) ? PULL_ONE : PULL_END;
    for (pull step; s->walk && (step = walk_next(s->walk, &path, e)) != PULL_END;) {
        if (step == PULL_BAD)
            return PULL_BAD;
        if (is_index(path))
            return open_entries(r, path, e) ? PULL_ONE : PULL_END;
    }
    if (e->code == ERR_NONE && !s->index)
        err_set(e, ERR_MISSING, "there is no examples.json in '%s' or a folder in it; check `root`",
                r->options.root);
    return PULL_END;
}

static bool check_number(const json *j, const char *name, int64_t least, int64_t most, bool needed,
                         err *e)
{
    const json *v = json_get(j, name);
    if (json_type(v) == JSON_NONE && !needed)
        return true;
    int64_t x = json_int(v, -1);
    return (x >= least && x <= most) ||
           err_set(e, ERR_VALUE, "'%s' must be a whole number from %lld to %lld", name,
                   (long long)least, (long long)most);
}

// A name of the list, and the number beside it where there is one.
static const char *check_name(const json *j, const char *name, const char *const *list, size_t n,
                              err *e)
{
    char text[64];
    strcpy(text, name);
    strcat(text, "_str");
    const char *s = json_str(json_get(j, text), NULL);
    size_t i = 0;
    while (s && i < n && strcmp(list[i], s) != 0)
        i++;
    if (s && i < n && json_int(json_get(j, name), (int64_t)i) == (int64_t)i)
        return list[i];
    char guess[NAME_GUESS];
    if (!s)
        err_set(e, ERR_VALUE, "there is no '%s'", text);
    else if (i < n)
        err_set(e, ERR_VALUE, "%s '%s' is number %zu, but '%s' says otherwise", text, s, i, name);
    else
        err_set(e, ERR_VALUE, "%s '%s' is none of NSynth's %zu%s", text, s, n,
                name_guess(guess, s, list, n));
    return NULL;
}

static bool check_qualities(const json *j, err *e)
{
    const json *q = json_get(j, "qualities");
    bool ok = json_type(q) == JSON_NONE || (json_type(q) == JSON_ARRAY && json_len(q) == QUALITIES);
    for (size_t i = 0; ok && i < json_len(q); i++)
        ok = json_int(json_at(q, i), -1) == 0 || json_int(json_at(q, i), -1) == 1;
    return ok || err_set(e, ERR_VALUE, "'qualities' must be %d numbers, each 0 or 1", QUALITIES);
}

static bool check_fields(const json *j, const char *key, err *e)
{
    if (json_type(j) != JSON_OBJECT)
        return err_set(e, ERR_FORMAT, "the note is not a JSON object");
    if (!*key || strchr(key, '/') || key[0] == '.')
        return err_set(e, ERR_VALUE, "this is no name of a note");
    if (strcmp(json_str(json_get(j, "note_str"), key), key) != 0)
        return err_set(e, ERR_VALUE, "'note_str' is '%s', not the entry's name",
                       json_str(json_get(j, "note_str"), key));
    return check_number(j, "pitch", 0, 127, true, e) &&
           check_number(j, "velocity", 1, 127, true, e) &&
           check_number(j, "sample_rate", 1, 768000, false, e) &&
           (json_type(json_get(j, "instrument_source_str")) == JSON_NONE ||
            check_name(j, "instrument_source", sources, SOURCES, e)) &&
           check_qualities(j, e);
}

// Where the index does not name the instrument, the note's own name does:
// <instrument>-<pitch>-<velocity>.
static const char *instrument_of(arena *a, const json *j, const char *key)
{
    const char *s = json_str(json_get(j, "instrument_str"), NULL), *end = strrchr(key, '-');
    if (s && *s)
        return arena_strdup(a, s);
    while (end && end > key && *--end != '-')
        ;
    return end && end > key ? arena_printf(a, "%.*s", (int)(end - key), key) : arena_strdup(a, key);
}

static bool take(reader *r, const char *key, const json *j, reader_item *item, err *e)
{
    const state *s = r->state;
    item->path = arena_printf(&r->item, "%s%saudio/%s.wav", s->folder, *s->folder ? "/" : "", key);
    if (!check_fields(j, key, e) ||
        !(item->label = check_name(j, "instrument_family", families, FAMILIES, e)))
        return err_trail(e, "note '%s'", key);
    item->file = path_join(&r->item, r->options.root, item->path);
    item->group = instrument_of(&r->item, j, key);
    item->split = s->split;
    item->attributes = attributes_of(&r->item, j, (const char *const[]){NULL});
    return true;
}

static pull next(reader *r, reader_item *item, err *e)
{
    state *s = r->state;
    for (;;) {
        const char *key;
        const json *j;
        pull opened = s->entries ? PULL_ONE : next_folder(r, e);
        if (opened != PULL_ONE)
            return opened;
        pull step = entries_next(s->entries, &key, &j, e);
        item->line = entries_line(s->entries);
        if (step == PULL_ONE && take(r, key, j, item, e))
            return PULL_ONE;
        if (step == PULL_ONE)
            err_trail(e, "'%s' line %lld", s->index, (long long)item->line);
        if (step != PULL_END)
            return PULL_BAD;
        if (e->code != ERR_NONE)
            return PULL_END;
        entries_close(s->entries);
        s->entries = NULL;
    }
}

static void close_folders(reader *r)
{
    state *s = r->state;
    if (!s)
        return;
    entries_close(s->entries);
    walk_close(s->walk);
    arena_free(&s->part);
}

const reader_def reader_nsynth = {
    .name = "nsynth",
    .help = "NSynth: single notes, nsynth-*/examples.json and audio/*.wav; the label is the "
            "instrument's family",
    .licence = "CC-BY-4.0",
    .citation = "Engel, Resnick, Roberts, Dieleman, Eck, Simonyan, Norouzi: Neural Audio Synthesis "
                "of Musical Notes with WaveNet Autoencoders, "
                "ICML 2017",
    .needs_root = true,
    .no_midi = true,
    .probe = probe,
    .open = open_folders,
    .next = next,
    .close = close_folders,
};
