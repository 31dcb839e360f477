// SPDX-License-Identifier: GPL-3.0-or-later
// environment.c (tests): a copy of all variables, and what differs from it (environment.h).
#include "tests/environment.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "base/arena.h"

extern char **environ;

static arena noted = {.name = "environment"};
static const char **names, **values; // [count]
static size_t count;

static const char *name_of(arena *a, const char *entry)
{
    return arena_printf(a, "%.*s", (int)strcspn(entry, "="), entry);
}

static bool is_noted(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

void environment_note(void)
{
    char both[128];
    while (environ[count])
        count++;
    names = NEW(&noted, const char *, count + 1), values = NEW(&noted, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        names[i] = name_of(&noted, environ[i]);
        values[i] = arena_strdup(&noted, getenv(names[i]));
    }
    gemm_describe(&(gemm_ways){.first = GEMM_OPENBLAS}, both); // loads them
}

// Taking one away moves the others up, so each is looked for from the beginning.
static bool take_one_away(void)
{
    arena a = {0};
    bool found = false;
    for (char **entry = environ; !found && *entry; entry++) {
        const char *name = name_of(&a, *entry);
        found = !is_noted(name) && unsetenv(name) == 0;
    }
    arena_free(&a);
    return found;
}

void environment_restore(void)
{
    while (take_one_away())
        ;
    for (size_t i = 0; i < count; i++) {
        const char *now = getenv(names[i]);
        if (!now || strcmp(now, values[i]) != 0)
            setenv(names[i], values[i], 1);
    }
}
