// SPDX-License-Identifier: GPL-3.0-or-later
// folder.c: a person's own files as they lie there, audio or MIDI, without an index:
//
//     root/joy/a.wav, root/grief/session 2/b.wav
//     labels joy and grief (as audiofolder of Hugging Face's datasets has them)
//     root/train/joy/a.wav, root/test/joy/b.wav        the same, and splits of their own
//     root/03_joy.wav, pattern: '(?<speaker>\d+)_(?<label>\w+)'
//
//     split     the first folder, where it is called train, val or test (or training, valid,
//               validation, dev, testing, eval; case does not matter): the shards are called train,
//               val and test
//     label     the first folder below that, or (folder_labels: last) the one that the file lies
//               in; none: of no folder. Where all files would have the same, or lie in no folder,
//               there are none
//     pattern   a regular expression that begins at the file's name without its ending; one that
//               has a slash in it: at its path in root.
//     Its
//               groups: label (emotion, class), group (speaker, singer, performer, artist, song,
//               piece: never parted by the splits), split; others are attributes. What it says goes
//               before what folders say. A file that it does not fit is named and left out
//
// Which of audio and MIDI is taken follows from the features (prepare.c). Names that begin with a
// dot, links that lead nowhere or back, and files of other kinds are passed over as walk.h says.
// Nothing is kept in memory but what walk.h keeps.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/regex.h"
#include "base/str.h"
#include "data/midi/midi.h"
#include "data/readers/attributes.h"
#include "data/readers/reader.h"
#include "data/readers/walk.h"

#define LABELS "label|emotion|class"
#define GROUPS "group|speaker|singer|performer|artist|song|piece"

static const char *const taken[] = {LABELS, GROUPS, "split", NULL};

typedef struct state {
    walk *walk;
    regex *pattern; // NULL: none
    bool of_path;   // it has a slash
    bool labelled;  // by folders
} state;

// ---- Folders of a path

// "Train" -> "train"; NULL: no split is called so.
static const char *split_of(const char *folder, size_t n)
{
    static const char *const names[] = {NULL, "train", "val", "test"};
    char lower[READER_SPLIT] = "";
    if (n >= sizeof lower)
        return NULL;
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(folder[i] >= 'A' && folder[i] <= 'Z' ? folder[i] + 'a' - 'A' : folder[i]);
    return names[reader_split_rank(lower)];
}

// The split's name that the path begins with, or NULL; *rest is what is behind it.
static const char *split_first(const char *path, const char **rest)
{
    const char *slash = strchr(path, '/'),
               *split = slash ? split_of(path, (size_t)(slash - path)) : NULL;
    *rest = split ? slash + 1 : path;
    return split;
}

static const char *label_of(const reader *r, arena *a, const char *path)
{
    const char *rest, *how = r->options.folder_labels;
    split_first(path, &rest);
    const char *slash = strchr(rest, '/');
    if (!slash || (how && !strcmp(how, "none")))
        return NULL;
    if (how && !strcmp(how, "last"))
        return path_base(path_dir(a, rest));
    return arena_printf(a, "%.*s", (int)(slash - rest), rest);
}

// ---- What is there

static const char *const *endings_of(const reader_options *o)
{
    return o->midi ? midi_endings : clip_endings;
}

typedef struct tally {
    uint64_t files;
    const char *label; // of the first that has one
    bool several;      // labels
} tally;

static bool look(const reader *r, tally *t, err *e)
{
    arena a = {.name = "folder"}, kept = {.name = "folder"};
    const char *path;
    pull step;
    walk *w = walk_open(r->options.root, NULL, endings_of(&r->options), WALK_DEPTH, e);
    *t = (tally){0};
    while (w && (step = walk_next(w, &path, e)) != PULL_END) {
        const char *label = step == PULL_ONE && !t->several ? label_of(r, &a, path) : NULL;
        t->files += step == PULL_ONE;
        if (label && !t->label)
            t->label = arena_strdup(&kept, label);
        t->several |= label && strcmp(label, t->label) != 0;
        arena_reset(&a);
    }
    walk_close(w);
    arena_free(&a);
    arena_free(&kept);
    t->label = NULL;
    return w != NULL;
}

static bool count(const reader_options *o, uint64_t *audio, uint64_t *midi, err *e)
{
    for (int k = 0; k < 2; k++) {
        reader r = {.options = *o};
        tally t;
        r.options.midi = k == 1;
        if (!look(&r, &t, e))
            return false;
        *(k ? midi : audio) = t.files;
    }
    return *audio || *midi ||
           err_set(e, ERR_EMPTY,
                   "there is no audio (.wav, .flac, .mp3 ...) and no MIDI (.mid, .midi ...) in "
                   "'%s' or below it; check `root`",
                   o->root);
}

// A folder that says more of its files than their names do.
static bool check_index(const reader_options *o, err *e)
{
    static const char *const indexed[] = {"audio_manifest", "maestro", "midi_emotion", "nsynth"};
    const reader_def *d = reader_guess(o->root);
    for (size_t i = 0; d && i < sizeof indexed / sizeof *indexed; i++)
        if (!strcmp(d->name, indexed[i]))
            return err_set(e, ERR_CONFIG,
                           "'%s' has an index of its own, which says more than names do; prepare "
                           "it as `dataset: %s` "
                           "(configs/data/%s.yaml), or name a folder below it",
                           o->root, d->name, d->name);
    return true;
}

static bool among(const char *names, const char *name)
{
    for (char one[64]; str_name(&names, one);)
        if (!strcmp(one, name))
            return true;
    return false;
}

static bool open_pattern(reader *r, state *s, err *e)
{
    const char *text = r->options.pattern;
    bool known = false;
    if (!text)
        return true;
    s->of_path = strchr(text, '/') != NULL;
    s->pattern = regex_open(text, REGEX_BEGIN, e);
    if (!s->pattern)
        return err_trail(e, "pattern");
    for (int i = 0; i < regex_groups(s->pattern); i++)
        for (const char *const *x = taken; *x; x++)
            known |= among(*x, regex_group_name(s->pattern, i));
    return known || err_set(e, ERR_CONFIG,
                            "pattern '%s' names neither a label nor whose the file is; name a "
                            "group: (?<label>...), (?<speaker>...), "
                            "(?<song>...) or (?<split>...)",
                            text);
}

static bool open_folder(reader *r, err *e)
{
    state *s = r->state = NEW(&r->memory, state, 1);
    tally t;
    if (!check_index(&r->options, e) || !open_pattern(r, s, e) || !look(r, &t, e))
        return false;
    s->labelled = t.several;
    s->walk = walk_open(r->options.root, NULL, endings_of(&r->options), WALK_DEPTH, e);
    return s->walk != NULL;
}

// ---- Items

// What the first of `names` matched, or NULL.
static const char *group_text(reader *r, const state *s, const char *names)
{
    for (char name[64]; str_name(&names, name);)
        for (int i = 0; i < regex_groups(s->pattern); i++) {
            size_t n = 0;
            const char *at = strcmp(regex_group_name(s->pattern, i), name)
                                 ? NULL
                                 : regex_group(s->pattern, i, &n);
            if (at && n)
                return arena_printf(&r->item, "%.*s", (int)n, at);
        }
    return NULL;
}

static const char *other_groups(reader *r, const state *s)
{
    json *j = json_object();
    for (int i = 0; i < regex_groups(s->pattern); i++) {
        size_t n;
        const char *at = regex_group(s->pattern, i, &n);
        if (at)
            json_set_str(j, regex_group_name(s->pattern, i),
                         arena_printf(&r->item, "%.*s", (int)n, at));
    }
    const char *text = attributes_of(&r->item, j, taken);
    json_free(j);
    return text;
}

static bool take_pattern(reader *r, const state *s, reader_item *item, err *e)
{
    arena *a = &r->item;
    bool fits;
    const char *stem = path_stem(a, item->path);
    if (s->of_path)
        stem = strchr(item->path, '/') ? path_join(a, path_dir(a, item->path), stem) : stem;
    if (!regex_match(s->pattern, str_utf8_escape(a, stem), &fits, e))
        return err_trail(e, "'%s'", item->path);
    if (!fits)
        return err_set(e, ERR_VALUE,
                       "'%s' does not fit the pattern '%s'; rename it, or correct the pattern",
                       item->path, r->options.pattern);
    const char *label = group_text(r, s, LABELS), *split = group_text(r, s, "split");
    item->label = label ? label : item->label;
    item->group = group_text(r, s, GROUPS);
    item->attributes = other_groups(r, s);
    if (split && !reader_split_ok(split))
        return err_set(e, ERR_VALUE,
                       "'%s': split '%s' is not a name of up to %d letters, digits, - and _",
                       item->path, split, READER_SPLIT);
    item->split = split ? split : item->split;
    return true;
}

static pull next(reader *r, reader_item *item, err *e)
{
    state *s = r->state;
    const char *path, *rest;
    pull step = walk_next(s->walk, &path, e);
    if (step == PULL_END && e->code == ERR_NONE && r->entries == 0)
        err_set(e, ERR_EMPTY, "there is no %s in '%s' or below it; check `root` and `features`",
                r->options.midi ? "MIDI (.mid, .midi ...)" : "audio (.wav, .flac, .mp3 ...)",
                r->options.root);
    if (step == PULL_END)
        return PULL_END;
    item->path = arena_strdup(&r->item, path);
    if (step == PULL_BAD)
        return PULL_BAD;
    *(r->options.midi ? &item->midi : &item->file) = path_join(&r->item, r->options.root, path);
    item->split = split_first(item->path, &rest);
    item->label = s->labelled ? label_of(r, &r->item, item->path) : NULL;
    return !s->pattern || take_pattern(r, s, item, e) ? PULL_ONE : PULL_BAD;
}

static bool probe(const char *root)
{
    (void)root; // any folder would do
    return false;
}

static void close_folder(reader *r)
{
    state *s = r->state;
    if (!s)
        return;
    walk_close(s->walk);
    regex_close(s->pattern);
}

const reader_def reader_folder = {
    .name = "folder",
    .help = "a folder of audio or MIDI without an index: labels by the names of folders, or by a "
            "pattern",
    .licence = "",
    .citation = "",
    .needs_root = true,
    .deals_singly = true,
    .probe = probe,
    .count = count,
    .open = open_folder,
    .next = next,
    .close = close_folder,
};
