// SPDX-License-Identifier: GPL-3.0-or-later
// library.c: dlopen and dlsym (library.h).
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

// KMIDI_LIBRARIES: the folders of such libraries at build time, ':' between them; Homebrew's are
// not where a program looks by itself.
static void *open_below(const char *folders, const char *name, int how)
{
    char path[1024];
    void *found = NULL;
    while (*folders && !found) {
        size_t n = strcspn(folders, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)n, folders, name);
        found = dlopen(path, how);
        folders += n + (folders[n] == ':');
    }
    return found;
}

static void *open_file(const library *l, int how, err *e)
{
    char why[300] = "";
    for (size_t i = 0; i < sizeof l->files / sizeof *l->files; i++) {
        void *found = dlopen(l->files[i], how);
        if (!found && !*why)
            snprintf(why, sizeof why, "%s", dlerror());
        found = found ? found : open_below(KMIDI_LIBRARIES, l->files[i], how);
        if (found)
            return found;
    }
    err_set(e, ERR_MISSING, "%s is not installed (%s)", l->name, why);
    return NULL;
}

bool library_open(const library *l, void *functions, err *e)
{
    void *file = open_file(l, RTLD_NOW | RTLD_LOCAL, e);
    for (size_t i = 0; file && i < l->n; i++) {
        void *at = dlsym(file, l->functions[i].name);
        if (!at)
            return err_set(e, ERR_MISSING,
                           "%s has no %s; install the version that this kmidi was built with",
                           l->name, l->functions[i].name);
        memcpy((char *)functions + l->functions[i].offset, &at, sizeof at);
    }
    return file != NULL;
}

void library_close(const library *l)
{
    void *file = open_file(l, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD, NULL);
    for (int i = 0; file && i < 2; i++) // as it was opened, and as it was found here
        dlclose(file);
}
