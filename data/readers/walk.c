// SPDX-License-Identifier: GPL-3.0-or-later
// walk.c: walking through folders (walk.h). A stack of folders, each with the names in it that are
// still to come.
//
// What could make a walk endless are links. A link back to a folder that the walk is in is a loop.
// A folder that links lead to is entered by the first of them only, so that links across cannot
// multiply the tree.
#include "data/readers/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/str.h"

typedef struct place {
    dev_t dev;
    ino_t ino;
} place;

typedef struct folder {
    place place;
    char *path;   // relative to root; "" is root
    strbuf bytes; // of the names, each behind one byte for its kind and with its NUL
    char **names; // [n] sorted, into `bytes`
    size_t n, next;
} folder;

struct walk {
    char *root;
    const char *const *endings;
    int depth, open; // folders on the stack
    folder stack[WALK_DEPTH];
    place *linked; // [n_linked] folders that links led to
    size_t n_linked;
    strbuf path; // of the last file
};

// How a name is taken: what is known without asking for more.
enum { KIND_FILE = 'f', KIND_FOLDER = 'd', KIND_ASK = '?' };

static char kind_of(const struct dirent *d)
{
    return d->d_type == DT_DIR                              ? KIND_FOLDER
           : d->d_type == DT_LNK || d->d_type == DT_UNKNOWN ? KIND_ASK
                                                            : KIND_FILE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static void index_names(folder *f)
{
    size_t at = 0;
    f->names = base_checked(malloc((f->n + 1) * sizeof *f->names), f->n * sizeof *f->names);
    for (size_t i = 0; i < f->n; i++, at += strlen(f->bytes.s + at) + 1)
        f->names[i] = f->bytes.s + at;
    qsort(f->names, f->n, sizeof *f->names, by_name);
}

static bool read_names(const walk *w, folder *f, const char *full, err *e)
{
    DIR *dir = opendir(full);
    struct dirent *d;
    if (!dir)
        return err_errno(e, "the folder '%s' cannot be read", full);
    while (errno = 0, (d = readdir(dir)) != NULL) {
        char kind = kind_of(d);
        if (d->d_name[0] == '.' || (kind == KIND_FILE && !str_ends_any(d->d_name, w->endings)))
            continue;
        strbuf_add(&f->bytes, &kind, 1);
        strbuf_add(&f->bytes, d->d_name, strlen(d->d_name) + 1);
        f->n++;
    }
    bool ok = errno == 0 || err_errno(e, "the folder '%s' cannot be read to its end", full);
    closedir(dir);
    index_names(f);
    return ok;
}

static void folder_free(folder *f)
{
    free(f->path);
    free(f->names);
    strbuf_free(&f->bytes);
    *f = (folder){0};
}

static char *full_path(const walk *w, arena *a, const char *path)
{
    return *path ? path_join(a, w->root, path) : arena_strdup(a, w->root);
}

static bool enter(walk *w, const char *path, err *e)
{
    arena a = {.name = "walk"};
    struct stat st = {0};
    const char *full = full_path(w, &a, path);
    folder f = {.path = base_checked(strdup(path), strlen(path))};
    bool ok = stat(full, &st) == 0 || err_errno(e, "the folder '%s' cannot be read", full);
    f.place = (place){st.st_dev, st.st_ino};
    ok = ok && (S_ISDIR(st.st_mode) || err_set(e, ERR_FORMAT, "'%s' is not a folder", full)) &&
         read_names(w, &f, full, e);
    if (ok)
        w->stack[w->open++] = f;
    else
        folder_free(&f);
    arena_free(&a);
    return ok;
}

walk *walk_open(const char *root, const char *below, const char *const *endings, int depth, err *e)
{
    CHECK(depth >= 1 && depth <= WALK_DEPTH);
    walk *w = base_checked(calloc(1, sizeof *w), sizeof *w);
    w->root = base_checked(strdup(root), strlen(root));
    w->endings = endings;
    w->depth = depth;
    if (enter(w, below ? below : "", e))
        return w;
    err_trail(e, "check `root`%s", below ? " and `index`" : "");
    walk_close(w);
    return NULL;
}

static bool same(place a, place b)
{
    return a.dev == b.dev && a.ino == b.ino;
}

// May the link be followed to this folder?
static bool follow(walk *w, const char *full, place p, err *e)
{
    for (int i = 0; i < w->open; i++)
        if (same(w->stack[i].place, p))
            return err_set(
                e, ERR_VALUE,
                "'%s' is a symbolic link back to a folder that it is in; it is not followed", full);
    for (size_t i = 0; i < w->n_linked; i++)
        if (same(w->linked[i], p))
            return err_set(
                e, ERR_VALUE,
                "'%s' is a symbolic link to a folder that another link led to; it is not followed",
                full);
    size_t n = w->n_linked + 1;
    w->linked = base_checked(realloc(w->linked, n * sizeof *w->linked), n * sizeof *w->linked);
    w->linked[w->n_linked++] = p;
    return true;
}

// What a name is whose kind the folder did not tell: a link, or any name on a file system that does
// not keep kinds. KIND_ASK: e says why.
static char find_kind(walk *w, const char *name, err *e)
{
    arena a = {.name = "walk"};
    struct stat st, link;
    const char *full = full_path(w, &a, w->path.s);
    char kind = KIND_FILE;
    if (stat(full, &st) != 0) {
        if (!str_ends_any(name, w->endings)) { // one that fits is named by whoever opens it
            err_errno(e, "'%s' cannot be followed", full);
            kind = KIND_ASK;
        }
    } else if (S_ISDIR(st.st_mode)) {
        bool linked = lstat(full, &link) == 0 && S_ISLNK(link.st_mode);
        kind =
            !linked || follow(w, full, (place){st.st_dev, st.st_ino}, e) ? KIND_FOLDER : KIND_ASK;
    }
    arena_free(&a);
    return kind;
}

pull walk_next(walk *w, const char **path, err *e)
{
    e->code = ERR_NONE;
    while (w->open > 0) {
        folder *f = &w->stack[w->open - 1];
        if (f->next == f->n) {
            folder_free(f);
            w->open--;
            continue;
        }
        const char *name = f->names[f->next] + 1;
        char kind = f->names[f->next++][0];
        w->path.len = 0;
        strbuf_printf(&w->path, "%s%s%s", f->path, *f->path ? "/" : "", name);
        *path = w->path.s;
        if (kind == KIND_ASK && (kind = find_kind(w, name, e)) == KIND_ASK)
            return PULL_BAD;
        if (kind == KIND_FILE && str_ends_any(name, w->endings))
            return PULL_ONE;
        if (kind == KIND_FOLDER && w->open < w->depth && !enter(w, w->path.s, e))
            return PULL_BAD;
    }
    return PULL_END;
}

void walk_close(walk *w)
{
    if (!w)
        return;
    while (w->open > 0)
        folder_free(&w->stack[--w->open]);
    strbuf_free(&w->path);
    free(w->linked);
    free(w->root);
    free(w);
}
