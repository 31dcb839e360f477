// SPDX-License-Identifier: GPL-3.0-or-later
// config_lines.h: the keys of a config.yaml in a run folder. It is what config_print wrote: a key a
// line, sections by their indentation, in the order of the table. So it is read line by line, which
// is a hundred times faster than to parse it.
//
//     config_lines l = {.at = yaml};
//     while (config_lines_next(&l, &value, &n))
//         l.name, value[0 .. n) ...
#ifndef KMIDI_TRAIN_CONFIG_LINES_H
#define KMIDI_TRAIN_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum { CONFIG_LINE_KEY = 160, CONFIG_LINE_DEPTH = 8 };

typedef struct config_lines {
    const char *at;
    char name[CONFIG_LINE_KEY];    // of the sections that are open, and the key
    size_t end[CONFIG_LINE_DEPTH]; // of the name, behind the section of each depth
} config_lines;

// The next key with its value as YAML, not ended by a NUL; false behind the last.
bool config_lines_next(config_lines *l, const char **value, size_t *n);
// The value of one key; `otherwise` where there is none, or no configuration (NULL).
const char *config_lines_value(const char *yaml, const char *name, const char *otherwise, arena *a);

#endif
