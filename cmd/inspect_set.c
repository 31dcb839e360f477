// SPDX-License-Identifier: GPL-3.0-or-later
// inspect_set.c: a set of shards as a person wants to see it: sums, and small pictures of tokens,
// pitches and chords (data/shards/shard_set.h).
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cmd/inspect.h"
#include "data/music/tokens.h"
#include "data/readers/walk.h"
#include "data/shards/shard_set.h"
#include "export/mil.h"
#include "lora/adapter.h"

enum { BAR = 40, MOST_LINES = 400, MOST_CHORDS = 12, OCTAVE = 12 };

// ---- Which files

bool inspect_is_set(const char *argument)
{
    struct stat st;
    bool there = stat(argument, &st) == 0;
    return there ? S_ISDIR(st.st_mode) && !lora_is_adapter(argument) && !mil_is_package(argument)
                 : strpbrk(argument, "*?[") != NULL;
}

static bool walk_folder(arena *a, const char *root, const char *const *endings, char ***paths,
                        size_t *n, err *e)
{
    size_t room = 0;
    const char *path;
    walk *w = walk_open(root, NULL, endings, WALK_DEPTH, e);
    bool ok = w != NULL;
    for (pull s; ok && (s = walk_next(w, &path, e)) != PULL_END;) {
        ok = s == PULL_ONE;
        if (*n == room) {
            char **more = NEW(a, char *, room = room ? 2 * room : 64);
            if (*n)
                memcpy(more, *paths, *n * sizeof *more);
            *paths = more;
        }
        (*paths)[*n] = path_join(a, root, path);
        *n += ok;
    }
    walk_close(w);
    return ok && e->code == ERR_NONE;
}

bool inspect_files(arena *a, const char *argument, const char *const *endings, char ***paths,
                   size_t *n, err *e)
{
    struct stat st;
    *n = 0;
    if (!inspect_is_set(argument)) {
        *paths = NEW(a, char *, 1);
        (*paths)[(*n)++] = arena_strdup(a, argument);
        return true;
    }
    if (stat(argument, &st) != 0)
        return (*paths = file_glob(a, argument, n, e)) != NULL;
    return walk_folder(a, argument, endings, paths, n, e) &&
           (*n > 0 ||
            err_set(e, ERR_MISSING,
                    "there is no file to look at in '%s'; name the folder that holds them",
                    argument));
}

// ---- Pictures

static void bar(cmd *c, const char *name, int64_t x, int64_t most, int64_t total)
{
    static const char full[] = "########################################";
    int width = most > 0 ? (int)((x * BAR + most - 1) / most) : 0;
    cmd_print(c, "  %-14s %12lld %5.1f%%  %.*s", name, (long long)x,
              total ? 100.0 * (double)x / (double)total : 0, width, full);
}

// Sums of `count` numbers each, `step` at a time; `name` makes the line's name from the first.
static void bars(cmd *c, const json *list, int first, int count, int step,
                 const char *(*name)(arena *a, int first))
{
    int64_t sum[64] = {0}, most = 0, total = 0;
    int n = (count + step - 1) / step;
    for (int i = 0; i < count; i++)
        sum[i / step] += json_int(json_at(list, (size_t)(first + i)), 0);
    for (int i = 0; i < n; i++) {
        total += sum[i];
        most = sum[i] > most ? sum[i] : most;
    }
    for (int i = 0; i < n; i++)
        if (sum[i])
            bar(c, name(c->arena, i * step), sum[i], most, total);
}

static const char *octave_name(arena *a, int pitch)
{
    return arena_printf(a, "C%d to B%d", pitch / OCTAVE - 1, pitch / OCTAVE - 1);
}

static const char *shift_name(arena *a, int step)
{
    return arena_printf(a, "%d to %d ms", 10 * (step + 1), 10 * (step + 10));
}

static const char *velocity_name(arena *a, int bin)
{
    return arena_printf(a, "%d to %d", TOKENS_BIN * bin + 1,
                        TOKENS_BIN * (bin + 4) - (bin + 4 == TOKENS_BINS));
}

static void draw_tokens(cmd *c, const json *tokens)
{
    const json *histogram = json_get(tokens, "histogram");
    cmd_print(c, "notes by octave (tokens)");
    bars(c, histogram, TOKENS_ON, 128, OCTAVE, octave_name);
    cmd_print(c, "time shifts (tokens)");
    bars(c, histogram, TOKENS_SHIFT, TOKENS_STEPS, 10, shift_name);
    cmd_print(c, "changes of velocity (tokens)");
    bars(c, histogram, TOKENS_VELOCITY, TOKENS_BINS, 4, velocity_name);
}

static void draw_chords(cmd *c, const json *chords)
{
    int64_t total = 0, most = 0, left = MOST_CHORDS;
    for (void *it = json_first(chords); it; it = json_next(chords, it))
        total += json_int(json_value(it), 0);
    cmd_print(c, "chords, the most frequent (%zu occur)", json_len(chords));
    for (void *it = json_first(chords); it && left-- > 0; it = json_next(chords, it)) {
        int64_t x = json_int(json_value(it), 0);
        most = most ? most : x;
        bar(c, json_key(it), x, most, total);
    }
}

static void print_set(cmd *c, const json *facts)
{
    int left = MOST_LINES;
    for (void *it = json_first(facts); it; it = json_next(facts, it)) {
        const json *v = json_value(it);
        if (!strcmp(json_key(it), "tokens")) {
            inspect_fact(c, "tokens", json_get(v, "kinds"), &left);
            draw_tokens(c, v);
        } else if (!strcmp(json_key(it), "melody_pitches")) {
            cmd_print(c, "melody by octave");
            bars(c, v, 0, 128, OCTAVE, octave_name);
        } else if (!strcmp(json_key(it), "chords")) {
            draw_chords(c, v);
        } else if (json_type(v) != JSON_OBJECT || json_len(v)) {
            inspect_fact(c, json_key(it), v, &left);
        }
    }
}

static bool add_argument(cmd *c, shard_set *t, const char *argument, err *e)
{
    static const char *const endings[] = {".h5", NULL};
    arena a = {.name = "files"};
    char **paths;
    size_t n;
    bool ok = inspect_files(&a, argument, endings, &paths, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        ok = !env_stop(&c->env) || err_set(e, ERR_STOPPED, "stopped before '%s'", paths[i]);
        ok = ok && shard_set_add(t, paths[i], e);
    }
    arena_free(&a);
    return ok;
}

bool inspect_set(cmd *c, err *e)
{
    shard_set *t = shard_set_open(c->arena);
    for (int i = 0; i < c->n_args; i++)
        if (!add_argument(c, t, c->args[i], e)) {
            shard_set_close(t);
            return false;
        }
    json *facts = shard_set_facts(t);
    print_set(c, facts);
    cmd_json(c, facts);
    return true;
}
