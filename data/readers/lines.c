// SPDX-License-Identifier: GPL-3.0-or-later
// lines.c: lines of a text file (lines.h).
#include "data/readers/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

struct lines {
    FILE *f;
    char *path, *line; // line: [LINE_MOST + 2]
    int64_t number;
};

FILE *lines_file(const char *path, uint64_t *size, err *e)
{
    int fd = file_open(path, size, e);
    if (fd < 0) {
        err_trail(e, "the index (check `root` and `index`)");
        return NULL;
    }
    FILE *f = fdopen(fd, "r");
    if (f)
        return f;
    err_errno(e, "the index '%s' cannot be read", path);
    close(fd);
    return NULL;
}

lines *lines_open(const char *path, err *e)
{
    uint64_t size;
    FILE *f = lines_file(path, &size, e);
    if (!f)
        return NULL;
    if (size == 0) {
        err_set(e, ERR_EMPTY, "the index '%s' is empty (0 bytes); there is nothing to prepare",
                path);
        fclose(f);
        return NULL;
    }
    lines *l = base_checked(calloc(1, sizeof *l), sizeof *l);
    l->f = f;
    l->path = base_checked(strdup(path), strlen(path));
    l->line = base_checked(malloc(LINE_MOST + 2), LINE_MOST + 2);
    return l;
}

// Bytes up to the next LF or the end, at most LINE_MOST + 1 of them kept; false at the end of the
// file.
static bool take(lines *l, size_t *n)
{
    int c;
    *n = 0;
    while ((c = getc_unlocked(l->f)) != EOF && c != '\n') {
        if (*n <= LINE_MOST)
            l->line[(*n)++] = (char)c;
    }
    return c != EOF || *n > 0;
}

pull lines_next(lines *l, char **text, size_t *n, err *e)
{
    bool more = take(l, n);
    if (ferror(l->f)) {
        err_errno(e, "'%s' cannot be read behind line %lld", l->path, (long long)l->number);
        return PULL_END;
    }
    if (!more)
        return PULL_END;
    l->number++;
    if (*n > LINE_MOST) {
        err_set(e, ERR_VALUE, "the line is longer than %d bytes", LINE_MOST);
        return PULL_BAD;
    }
    if (*n > 0 && l->line[*n - 1] == '\r')
        --*n;
    l->line[*n] = 0;
    *text = l->line;
    if (l->number == 1 && *n >= 3 && !memcmp(l->line, "\xef\xbb\xbf", 3)) {
        *text += 3;
        *n -= 3;
    }
    return PULL_ONE;
}

int64_t lines_number(const lines *l)
{
    return l->number;
}

int64_t lines_place(const lines *l)
{
    return (int64_t)ftello(l->f);
}

bool lines_return(lines *l, int64_t place, int64_t number, err *e)
{
    if (fseeko(l->f, (off_t)place, SEEK_SET) != 0)
        return err_errno(e, "'%s' cannot be read again from line %lld on", l->path,
                         (long long)number + 1);
    l->number = number;
    return true;
}

void lines_close(lines *l)
{
    if (!l)
        return;
    fclose(l->f);
    free(l->path);
    free(l->line);
    free(l);
}
