// SPDX-License-Identifier: GPL-3.0-or-later
// lakh.c: the Lakh MIDI Dataset (Raffel, 2016; formats.md 3.6), any part of it, or several side by
// side:
//
//     lmd_full/<h>/<md5>.mid                       176,581 files
//     lmd_matched/<A>/<B>/<C>/TR.../<md5>.mid      45,129 pairs with tracks of the Million Song
//                                                  Dataset; the group is the track's id
//     lmd_aligned/...                              the same shape
//     clean_midi/<Artist>/<Title>[.N].mid          the group is the artist
//
// `root` is the folder that holds them, or one of them; `index: lmd_matched` chooses one. The same
// file may lie under several ids: what has the same content is never parted anyway. There are no
// labels and no splits. Files whose names do not end as those of MIDI do (midi_endings) are passed
// over.
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/midi/midi.h"
#include "data/readers/reader.h"
#include "data/readers/walk.h"

enum { ID = 18 }; // characters of a track's id

typedef struct state {
    walk *walk;
    bool clean; // the root is clean_midi itself
} state;

static bool probe(const char *root)
{
    static const char *const parts[] = {"lmd_full", "lmd_matched", "lmd_aligned", "clean_midi"};
    arena a = {0};
    bool found = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        found |= file_exists(path_join(&a, root, parts[i])) || !strcmp(path_base(root), parts[i]);
    arena_free(&a);
    return found;
}

static bool open_folders(reader *r, err *e)
{
    state *s = r->state = NEW(&r->memory, state, 1);
    const char *below = r->options.index, *root = r->options.root;
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    s->clean = n >= 10 && !strncmp(root + n - 10, "clean_midi", 10);
    s->walk = walk_open(root, below, midi_endings, WALK_DEPTH, e);
    return s->walk != NULL;
}

static bool is_id(const char *s)
{
    return str_starts(s, "TR") && strlen(s) == ID &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ID;
}

// The folder the file lies in, where it says whose the music is.
static const char *group_of(const state *s, arena *a, const char *path)
{
    if (!strchr(path, '/'))
        return NULL;
    const char *folder = path_base(path_dir(a, path));
    bool clean = (s->clean || str_starts(path, "clean_midi/")) && strcmp(folder, "clean_midi") != 0;
    return clean || is_id(folder) ? folder : NULL;
}

static pull next(reader *r, reader_item *item, err *e)
{
    state *s = r->state;
    const char *path;
    pull step = walk_next(s->walk, &path, e);
    if (step == PULL_END && e->code == ERR_NONE && r->entries == 0)
        err_set(e, ERR_EMPTY, "there is no file NAME.mid in '%s'; check `root`%s", r->options.root,
                r->options.index ? " and `index`" : "");
    if (step == PULL_END)
        return PULL_END;
    item->path = arena_strdup(&r->item, path);
    if (step == PULL_BAD)
        return PULL_BAD;
    item->midi = path_join(&r->item, r->options.root, path);
    item->group = group_of(s, &r->item, item->path);
    return PULL_ONE;
}

static void close_folders(reader *r)
{
    state *s = r->state;
    if (s)
        walk_close(s->walk);
}

const reader_def reader_lakh = {
    .name = "lakh",
    .help = "Lakh MIDI Dataset: lmd_full, lmd_matched, lmd_aligned, clean_midi",
    .licence = "CC-BY-4.0",
    .citation = "Raffel: Learning-Based Methods for Comparing Sequences, with Applications to "
                "Audio-to-MIDI Alignment and Matching, PhD thesis, "
                "Columbia University, 2016",
    .needs_root = true,
    .no_audio = true,
    .probe = probe,
    .open = open_folders,
    .next = next,
    .close = close_folders,
};
