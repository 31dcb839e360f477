// SPDX-License-Identifier: GPL-3.0-or-later
// maestro.c: MAESTRO v1, v2 and v3 (Hawthorne et al., 2019; formats.md 3.6): piano performances,
// each as MIDI and, where it was downloaded, as audio. The index is maestro-v*.csv, else
// maestro-v*.json (v3: an object of columns; v1 and v2: a list of records), the newest that is
// there; `index` names another.
//
// The dataset's own split is kept: train, validation, test. The group is the composer and the
// title, which the splits were made by. An item's path is its midi_filename; whether its files are
// there shows when they are needed, so MIDI without audio is well.
#include <string.h>

#include "base/names.h"
#include "base/str.h"
#include "data/readers/reader.h"
#include "data/readers/rows.h"
#include "data/readers/walk.h"

typedef struct state {
    rows *rows;
    const char *root; // the folder of the index
} state;

// The last file maestro-v*ENDING in root, or NULL.
static const char *find_index(arena *a, const char *root, const char *ending, err *e)
{
    const char *const endings[] = {ending, NULL};
    const char *path, *found = NULL;
    walk *w = walk_open(root, NULL, endings, 1, e);
    for (pull s; w && (s = walk_next(w, &path, e)) != PULL_END;)
        if (s == PULL_ONE && str_starts(path, "maestro-v"))
            found = arena_strdup(a, path);
    walk_close(w);
    return found;
}

static const char *find_any(arena *a, const char *root, err *e)
{
    const char *found = find_index(a, root, ".csv", e);
    return found || e->code != ERR_NONE ? found : find_index(a, root, ".json", e);
}

static bool probe(const char *root)
{
    arena a = {0};
    err e = {0};
    bool found = find_any(&a, root, &e) != NULL;
    arena_free(&a);
    return found;
}

static bool open_index(reader *r, err *e)
{
    static const char *const columns[] = {"midi_filename", "canonical_composer", "canonical_title",
                                          "split", NULL};
    state *s = r->state = NEW(&r->memory, state, 1);
    e->code = ERR_NONE;
    const char *index =
        r->options.index ? r->options.index : find_any(&r->memory, r->options.root, e);
    if (!index)
        return e->code == ERR_NONE ? err_set(e, ERR_MISSING,
                                             "there is neither maestro-v*.csv nor maestro-v*.json "
                                             "in '%s'; check `root`",
                                             r->options.root)
                                   : false;
    index = path_join(&r->memory, r->options.root, index);
    s->root = path_dir(&r->memory, index);
    s->rows = rows_open(index, columns, e);
    return s->rows != NULL;
}

static bool get_split(reader *r, reader_item *item, err *e)
{
    static const char *const splits[] = {"train", "validation", "test"};
    const state *s = r->state;
    if (!rows_need(s->rows, &r->item, "split", &item->split, e))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(item->split, splits[i]))
            return true;
    char guess[NAME_GUESS];
    return err_set(e, ERR_VALUE, "split '%s' is none of train, validation, test%s", item->split,
                   name_guess(guess, item->split, splits, 3));
}

static bool get_files(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    const char *audio;
    if (!rows_text(s->rows, &r->item, "audio_filename", &audio, e))
        return false;
    item->midi = reader_resolve(&r->item, s->root, item->path, r->options.outside, e);
    item->file = item->midi && audio
                     ? reader_resolve(&r->item, s->root, audio, r->options.outside, e)
                     : NULL;
    return item->midi && (!audio || item->file);
}

static bool take(reader *r, reader_item *item, err *e)
{
    const state *s = r->state;
    const char *composer, *title;
    double year = 0, duration = 0; // only checked: a row with nonsense in it is not to be trusted
    if (!rows_need(s->rows, &r->item, "midi_filename", &item->path, e) || !get_split(r, item, e) ||
        !rows_need(s->rows, &r->item, "canonical_composer", &composer, e) ||
        !rows_need(s->rows, &r->item, "canonical_title", &title, e) ||
        !rows_num(s->rows, "year", 1900, 2100, &year, e) ||
        !rows_num(s->rows, "duration", 0, 1e6, &duration, e))
        return false;
    item->group = arena_printf(&r->item, "%s: %s", composer, title);
    item->attributes = rows_attributes(
        s->rows, &r->item, (const char *const[]){"midi_filename", "audio_filename", "split", NULL});
    return get_files(r, item, e);
}

static pull next(reader *r, reader_item *item, err *e)
{
    state *s = r->state;
    pull step = rows_next(s->rows, e);
    item->line = rows_line(s->rows);
    if (step == PULL_END)
        return PULL_END;
    if (step == PULL_ONE && take(r, item, e))
        return PULL_ONE;
    err_trail(e, "%s", rows_where(s->rows, &r->item));
    return PULL_BAD;
}

static void close_index(reader *r)
{
    state *s = r->state;
    if (s)
        rows_close(s->rows);
}

const reader_def reader_maestro = {
    .name = "maestro",
    .help =
        "MAESTRO v1 to v3: piano performances as MIDI and audio, listed by maestro-v*.csv or .json",
    .licence = "CC-BY-NC-SA-4.0",
    .citation = "Hawthorne, Stasyuk, Roberts, Simon, Huang, Dieleman, Elsen, Engel, Eck: Enabling "
                "Factorized Piano Music Modeling and Generation "
                "with the MAESTRO Dataset, ICLR 2019",
    .needs_root = true,
    .probe = probe,
    .open = open_index,
    .next = next,
    .close = close_index,
};
