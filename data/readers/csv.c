// SPDX-License-Identifier: GPL-3.0-or-later
// csv.c: libcsv (the one file that knows it), fed line by line so that each row comes out as soon
// as it is whole (csv.h).
#include "data/readers/csv.h"

#include <csv.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "data/readers/lines.h"

struct csv {
    lines *lines;
    struct csv_parser parser;
    char delimiter;         // between fields
    int64_t line;           // where the row begins
    size_t bytes;           // of the row so far
    strbuf text;            // all fields, each with its NUL
    size_t at[CSV_FIELDS];  // where each begins in `text`
    size_t fields;          // may exceed CSV_FIELDS: then the row is refused
    bool whole, holds_zero; // the row has ended; a field has U+0000
};

// libcsv would strip spaces and tabs around fields; they belong to them (RFC 4180, 2.4).
static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

static int is_end(unsigned char c)
{
    return c == '\n';
}

static bool parser_open(csv *c, err *e)
{
    if (csv_init(&c->parser, CSV_STRICT) != 0)
        return err_set(e, ERR_MEMORY, "no memory to read CSV");
    csv_set_space_func(&c->parser, no_space);
    csv_set_term_func(&c->parser, is_end);
    csv_set_delim(&c->parser, (unsigned char)c->delimiter);
    return true;
}

// The one that occurs most often in the first line, outside of quotes; the comma where others are
// not more.
static char delimiter_of(const char *text, size_t n)
{
    static const char all[] = ",;\t|";
    size_t count[4] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        quoted ^= text[i] == '"';
        const char *at = quoted || !text[i] ? NULL : strchr(all, text[i]);
        if (at)
            count[at - all]++;
    }
    for (size_t i = 1; i < 4; i++)
        best = count[i] > count[best] ? i : best;
    return all[best];
}

static bool find_delimiter(csv *c, err *e)
{
    char *text;
    size_t n;
    pull step;
    int64_t place = lines_place(c->lines);
    err ignored = {0};
    do
        step = lines_next(c->lines, &text, &n, &ignored);
    while (step == PULL_ONE && n == 0);
    c->delimiter = step == PULL_ONE ? delimiter_of(text, n) : ',';
    return lines_return(c->lines, place, 0, e);
}

csv *csv_open(const char *path, err *e)
{
    lines *l = lines_open(path, e);
    if (!l)
        return NULL;
    csv *c = base_checked(calloc(1, sizeof *c), sizeof *c);
    c->lines = l, c->delimiter = ',';
    if (parser_open(c, e) && find_delimiter(c, e)) {
        csv_set_delim(&c->parser, (unsigned char)c->delimiter);
        return c;
    }
    csv_close(c);
    return NULL;
}

static void take_field(void *bytes, size_t n, void *user)
{
    csv *c = user;
    if (c->fields < CSV_FIELDS)
        c->at[c->fields] = c->text.len;
    c->fields++;
    c->holds_zero |= n > 0 && memchr(bytes, 0, n) != NULL;
    strbuf_add(&c->text, n ? bytes : "", n);
    strbuf_add(&c->text, "", 1);
}

static void take_row(int end, void *user)
{
    csv *c = user;
    (void)end;
    c->whole = true;
}

static bool feed(csv *c, const char *text, size_t n, err *e)
{
    c->bytes += n + 1;
    if (c->bytes > CSV_BYTES)
        return err_set(e, ERR_FORMAT, "the row is longer than %d bytes; is a quote not closed?",
                       CSV_BYTES);
    if (csv_parse(&c->parser, text, n, take_field, take_row, c) != n ||
        csv_parse(&c->parser, "\n", 1, take_field, take_row, c) != 1)
        return csv_error(&c->parser) == CSV_EPARSE
                   ? err_set(e, ERR_FORMAT,
                             "a quote stands inside a field; quote the whole field and double the "
                             "quotes in it")
                   : err_set(e, ERR_MEMORY, "libcsv: %s", csv_strerror(csv_error(&c->parser)));
    if (c->fields > CSV_FIELDS)
        return err_set(e, ERR_FORMAT, "the row has more than %d fields", CSV_FIELDS);
    return !c->holds_zero || err_set(e, ERR_FORMAT, "a field holds U+0000");
}

// Lines until the row is whole, from its first one on.
static bool take_lines(csv *c, char *text, size_t n, err *e)
{
    bool ok = feed(c, text, n, e);
    while (ok && !c->whole) {
        pull step = lines_next(c->lines, &text, &n, e);
        ok = step == PULL_ONE && feed(c, text, n, e);
        if (step == PULL_END && e->code == ERR_NONE)
            err_set(e, ERR_FORMAT, "a quote is opened and never closed");
    }
    return ok;
}

// After a bad row: as if only its first line had been read.
static bool go_back(csv *c, int64_t place, err *e)
{
    csv_free(&c->parser);
    return parser_open(c, e) && lines_return(c->lines, place, c->line, e);
}

pull csv_next(csv *c, err *e)
{
    char *text;
    size_t n;
    pull step;
    e->code = ERR_NONE;
    do
        step = lines_next(c->lines, &text, &n, e);
    while (step == PULL_ONE && n == 0);
    c->line = lines_number(c->lines);
    c->fields = c->text.len = c->bytes = 0;
    c->whole = c->holds_zero = false;
    if (step == PULL_END)
        return PULL_END;
    int64_t place = lines_place(c->lines);
    if (step == PULL_ONE && take_lines(c, text, n, e))
        return PULL_ONE;
    c->fields = 0;
    return e->code == ERR_IO || e->code == ERR_MEMORY || !go_back(c, place, e) ? PULL_END
                                                                               : PULL_BAD;
}

size_t csv_fields(const csv *c)
{
    return c->fields;
}

const char *csv_field(const csv *c, size_t i)
{
    CHECK(i < c->fields);
    return c->text.s + c->at[i];
}

int64_t csv_line(const csv *c)
{
    return c->line;
}

void csv_close(csv *c)
{
    if (!c)
        return;
    csv_free(&c->parser);
    lines_close(c->lines);
    strbuf_free(&c->text);
    free(c);
}
