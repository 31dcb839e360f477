// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_nodes.c: the emotions of thesaurus_emotions.def by their ids, paths and names (labels.h).
//
// Nodes are numbered base * 36 + sub * 6 + word, subs base * 6 + sub, so that what lies above a
// node follows by division. The set emotion_nodes reads an item's label; one that stops at the base
// or the sub leaves the questions below it without an answer.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/str.h"
#include "data/labels/labels.h"

enum { DEPTHS = 3, PART = SUBS / BASES };

#define IGNORED(...)
static const char *const bases[] = {
#define EMOTION(name, roman) #name,
#define EMOTION_SUB          IGNORED
#include "data/labels/thesaurus_emotions.def"
#undef EMOTION
#undef EMOTION_SUB
};
static const char *const romans[] = {
#define EMOTION(name, roman) #roman,
#define EMOTION_SUB          IGNORED
#include "data/labels/thesaurus_emotions.def"
#undef EMOTION
#undef EMOTION_SUB
};
static const char *const subs[] = {
#define EMOTION                                         IGNORED
#define EMOTION_SUB(base, name, one, two, ah, oh, u, e) #base "/" #name,
#include "data/labels/thesaurus_emotions.def"
#undef EMOTION
#undef EMOTION_SUB
};
static const char *const nodes[] = {
#define EMOTION                IGNORED
#define WORD(base, name, word) #base "/" #name "/" #word,
#define EMOTION_SUB(base, name, i, ii, iii, iv, v, vi)                                             \
    WORD(base, name, i)                                                                            \
    WORD(base, name, ii)                                                                           \
    WORD(base, name, iii) WORD(base, name, iv) WORD(base, name, v) WORD(base, name, vi)
#include "data/labels/thesaurus_emotions.def"
#undef EMOTION
#undef EMOTION_SUB
};
_Static_assert(sizeof bases / sizeof *bases == BASES && sizeof subs / sizeof *subs == SUBS &&
                   sizeof nodes / sizeof *nodes == NODES,
               "6 x 6 x 6");

const label_group thesaurus_groups[DEPTHS] = {
    {"base", bases, BASES}, {"sub", subs, SUBS}, {"node", nodes, NODES}};

static int class_of(int depth, int node)
{
    return depth == 0 ? node / (PART * PART) : depth == 1 ? node / PART : node;
}

static void put(int depth, int class, int32_t at[DEPTHS])
{
    int node = depth == 0 ? class * PART * PART : depth == 1 ? class * PART : class;
    for (int k = 0; k < DEPTHS; k++)
        at[k] = k <= depth ? class_of(k, node) : -1;
}

const char *thesaurus_id(int node, char id[8])
{
    snprintf(id, 8, "%s%c%c", romans[class_of(0, node)], 'i' + class_of(1, node) % PART,
             'a' + node % PART);
    return id;
}

// "I", "Ii" or "Iia". -1: none; else the depth, and which one.
static int find_id(const char *text, int *class)
{
    for (int node = 0; node < NODES; node++) {
        char id[8];
        size_t n = strlen(text), roman = strlen(romans[class_of(0, node)]),
               depth = n < roman ? DEPTHS : n - roman;
        thesaurus_id(node, id);
        if (depth < DEPTHS && !strncmp(id, text, n)) {
            *class = class_of((int)depth, node);
            return (int)depth;
        }
    }
    return -1;
}

static int find_path(const char *text, int *class)
{
    for (int depth = 0; depth < DEPTHS; depth++)
        for (int i = 0; i < thesaurus_groups[depth].n; i++)
            if (!strcasecmp(text, thesaurus_groups[depth].classes[i])) {
                *class = i;
                return depth;
            }
    return -1;
}

const char *thesaurus_id_of(const char *path, char id[8])
{
    int class, depth = find_path(path, &class);
    if (depth < 0)
        return NULL;
    int node = depth == 0 ? class * PART * PART : depth == 1 ? class * PART : class;
    thesaurus_id(node, id);
    id[strlen(romans[class_of(0, node)]) + (size_t)depth] = '\0';
    return id;
}

// The last parts of all paths.
typedef struct name {
    int depth, class;
    const char *word, *path;
} name;

static int list_names(name list[BASES + SUBS + NODES])
{
    int n = 0;
    for (int depth = 0; depth < DEPTHS; depth++)
        for (int i = 0; i < thesaurus_groups[depth].n; i++) {
            const char *path = thesaurus_groups[depth].classes[i];
            list[n++] = (name){depth, i, path_base(path), path};
        }
    return n;
}

static bool unknown(const char *text, const name *list, int n, err *e)
{
    const char *words[BASES + SUBS + NODES], *paths[BASES + SUBS + NODES];
    for (int i = 0; i < n; i++)
        words[i] = list[i].word, paths[i] = list[i].path;
    const char *near = str_nearest(text, paths, (size_t)n), *word = NULL;
    strbuf all = {0};
    if (near)
        strbuf_printf(&all, "'%s'", near);
    else
        word = str_nearest(path_base(text), words, (size_t)n);
    for (int i = 0; word && i < n; i++)
        if (!strcmp(list[i].word, word))
            strbuf_printf(&all, "%s'%s'", all.len ? " or " : "", list[i].path);
    err_set(
        e, ERR_VALUE,
        "'%s' is not in the emotion thesaurus%s%s%s; a label is a path as HAPPY/JOY/cheerful or "
        "HAPPY/JOY, or an id as Iia",
        text, all.len ? "; did you mean " : "", all.len ? all.s : "", all.len ? "?" : "");
    strbuf_free(&all);
    return false;
}

// A name without its path, where it stands in one place.
static bool find_name(const char *text, int32_t at[DEPTHS], err *e)
{
    name list[BASES + SUBS + NODES];
    int n = list_names(list), found = -1;
    for (int i = 0; i < n; i++) {
        if (strcasecmp(text, list[i].word) != 0)
            continue;
        if (found >= 0)
            return err_set(e, ERR_VALUE, "'%s' may be '%s' or '%s'; write the path", text,
                           list[found].path, list[i].path);
        found = i;
    }
    if (found < 0)
        return unknown(text, list, n, e);
    put(list[found].depth, list[found].class, at);
    return true;
}

bool thesaurus_find(const char *text, int32_t at[DEPTHS], err *e)
{
    int class, depth = find_id(text, &class);
    if (depth < 0)
        depth = find_path(text, &class);
    if (depth < 0)
        return find_name(text, at, e);
    put(depth, class, at);
    return true;
}

static bool tell(const label_item *item, int32_t *classes, err *e)
{
    return !item->label || thesaurus_find(item->label, classes, e);
}

const label_set label_set_emotion_nodes = {
    .name = "emotion_nodes",
    .help = "the emotion thesaurus: 6 emotions, 6 of each, 6 words of each of those",
    .groups = thesaurus_groups,
    .n_groups = DEPTHS,
    .tell = tell,
};
