// SPDX-License-Identifier: GPL-3.0-or-later
// entries.c: finding where one entry ends takes no more than counting brackets outside of strings;
// what is between is left to json_parse.
#include "data/readers/entries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/readers/lines.h"

struct entries {
    FILE *f;
    char *path;
    char *text; // [ENTRY_BYTES + 3] of one entry, in braces
    size_t n;
    json *one;
    int64_t line, began; // of the file; where the entry begins
    bool any, done;
};

static int take(entries *s)
{
    int c = getc_unlocked(s->f);
    s->line += c == '\n';
    return c;
}

static int skip_space(entries *s)
{
    int c;
    do
        c = take(s);
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
    return c;
}

static pull broken(entries *s, const char *what, err *e)
{
    if (ferror(s->f))
        err_errno(e, "'%s' cannot be read behind line %" PRId64, s->path, s->line);
    else
        err_set(e, ERR_FORMAT, "'%s' line %" PRId64 ": %s; fetch the file again", s->path, s->line,
                what);
    s->done = true;
    return PULL_END;
}

entries *entries_open(const char *path, err *e)
{
    uint64_t size;
    FILE *f = lines_file(path, &size, e);
    if (!f)
        return NULL;
    entries *s = base_checked(calloc(1, sizeof *s), sizeof *s);
    s->f = f;
    s->line = 1;
    s->path = base_checked(strdup(path), strlen(path));
    s->text = base_checked(malloc(ENTRY_BYTES + 3), ENTRY_BYTES);
    int c = skip_space(s);
    if (c == 0xef && take(s) == 0xbb && take(s) == 0xbf) // byte order mark
        c = skip_space(s);
    if (c == '{')
        return s;
    broken(s, "a JSON object is expected", e);
    entries_close(s);
    return NULL;
}

static void keep(entries *s, int c)
{
    if (s->n <= ENTRY_BYTES)
        s->text[s->n++] = (char)c;
}

// From the entry's first character to the comma or brace behind it, which is returned; EOF: there
// is none.
static int collect(entries *s, int c)
{
    int64_t depth = 0;
    bool quoted = false;
    for (s->n = 0, keep(s, '{'); c != EOF; c = take(s)) {
        if (quoted && c == '\\') {
            keep(s, c);
            c = take(s);
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            if (depth == 0 && (c == ',' || c == '}'))
                return c;
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
        }
        if (c != EOF)
            keep(s, c);
    }
    return EOF;
}

static pull parse(entries *s, const char **key, const json **value, err *e)
{
    if (s->n > ENTRY_BYTES)
        err_set(e, ERR_VALUE, "the entry is longer than %d bytes", ENTRY_BYTES);
    else {
        s->text[s->n++] = '}';
        s->one = json_parse(s->text, s->n, e);
    }
    void *it = json_first(s->one);
    if (it) {
        *key = json_key(it), *value = json_value(it);
        return PULL_ONE;
    }
    err_trail(e, "'%s' line %" PRId64, s->path, s->began);
    return PULL_BAD;
}

pull entries_next(entries *s, const char **key, const json **value, err *e)
{
    e->code = ERR_NONE;
    json_free(s->one);
    s->one = NULL;
    if (s->done)
        return PULL_END;
    int c = skip_space(s);
    s->began = s->line;
    if (c == '}' && !s->any)
        return (s->done = true),
               skip_space(s) == EOF ? PULL_END : broken(s, "something follows the object", e);
    if (c != '"')
        return broken(s,
                      c == EOF ? "the object is not closed, the file is cut off"
                               : "the name of an entry is expected",
                      e);
    s->any = true;
    c = collect(s, c);
    if (c == EOF)
        return broken(s, "the file is cut off inside an entry", e);
    if (c == '}') {
        s->done = true;
        if (skip_space(s) != EOF)
            return broken(s, "something follows the object", e);
    }
    return parse(s, key, value, e);
}

int64_t entries_line(const entries *s)
{
    return s->began;
}

void entries_close(entries *s)
{
    if (!s)
        return;
    json_free(s->one);
    fclose(s->f);
    free(s->path);
    free(s->text);
    free(s);
}
