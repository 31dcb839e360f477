// SPDX-License-Identifier: GPL-3.0-or-later
// shipped.c: the table of shipped configurations, and its names (shipped.h).
#include "base/shipped.h"

#include <string.h>

#include "base/str.h"

// The texts are longer than a C99 compiler must be able to take; all that are used here can.
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const shipped table[] = {
#include "shipped.inc"
};
enum { N = sizeof table / sizeof *table, NAME_MOST = 256 };

const shipped *shipped_at(int i)
{
    return i >= 0 && i < N ? &table[i] : NULL;
}

// The name that a path ends in: without what leads to configs/, and without ".yaml".
static const char *bare(const char *path, char out[NAME_MOST])
{
    const char *at = path, *dir;
    while ((dir = strstr(at, "configs/")))
        at = dir + strlen("configs/");
    while (str_starts(at, "./") || str_starts(at, "../"))
        at = strchr(at, '/') + 1;
    size_t n = strlen(at);
    if (n >= NAME_MOST)
        return "";
    memcpy(out, at, n + 1);
    if (str_ends(out, ".yaml"))
        out[n - strlen(".yaml")] = 0;
    return out;
}

const shipped *shipped_find(const char *path)
{
    char text[NAME_MOST];
    const char *name = bare(path, text);
    const shipped *found = NULL;
    int n = 0;
    for (int i = 0; i < N; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    for (int i = 0; i < N; i++)
        if (!strcmp(path_base(table[i].name), path_base(name)))
            found = &table[i], n++;
    return n == 1 ? found : NULL;
}

const char *shipped_nearest(const char *path)
{
    char text[NAME_MOST];
    const char *name = bare(path, text), *full[N], *last[N], *best;
    for (int i = 0; i < N; i++)
        full[i] = table[i].name, last[i] = path_base(table[i].name);
    if ((best = str_nearest(name, full, N)) || !(best = str_nearest(path_base(name), last, N)))
        return best;
    for (int i = 0; i < N; i++)
        if (last[i] == best)
            return full[i];
    return NULL;
}

char *shipped_summary(arena *a, const shipped *s)
{
    const char *text = s->text + strspn(s->text, "# ");
    return arena_printf(a, "%.*s", (int)strcspn(text, "\n"), text);
}
