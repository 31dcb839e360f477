// SPDX-License-Identifier: GPL-3.0-or-later
// config_lines.c: a configuration line by line (config_lines.h).
#include "train/config_lines.h"

#include <string.h>

bool config_lines_next(config_lines *l, const char **value, size_t *n)
{
    while (*l->at) {
        const char *line = l->at, *end = line + strcspn(line, "\n");
        size_t blanks = strspn(line, " "), depth = blanks / 2;
        const char *colon = memchr(line, ':', (size_t)(end - line));
        l->at = *end ? end + 1 : end;
        if (!colon || depth >= CONFIG_LINE_DEPTH)
            continue;
        size_t from = depth ? l->end[depth - 1] : 0, length = (size_t)(colon - line) - blanks;
        if (from + length + 2 > CONFIG_LINE_KEY)
            continue;
        memcpy(l->name + from, line + blanks, length);
        l->name[from + length] = 0;
        if (colon + 1 < end) {
            *value = colon + 1 + (colon[1] == ' ');
            *n = (size_t)(end - *value);
            return true;
        }
        l->name[from + length] = '.';
        l->end[depth] = from + length + 1;
    }
    return false;
}

const char *config_lines_value(const char *yaml, const char *name, const char *otherwise, arena *a)
{
    config_lines l = {.at = yaml};
    const char *value;
    size_t n;
    while (yaml && config_lines_next(&l, &value, &n))
        if (!strcmp(l.name, name))
            return arena_printf(a, "%.*s", (int)n, value);
    return otherwise;
}
