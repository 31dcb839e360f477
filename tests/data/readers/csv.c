// SPDX-License-Identifier: GPL-3.0-or-later
// csv.c: rows as RFC 4180 has them, and those that it does not know.
#include "data/readers/csv.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/test.h"

// All rows as "field|field;", bad ones as "!LINE;".
static const char *rows_of(const char *text, size_t n)
{
    static strbuf out;
    err e = {0};
    strbuf_free(&out);
    out = (strbuf){0};
    EXPECT_OK(file_write(test_path("x.csv"), text, n, &e), e);
    csv *c = csv_open(test_path("x.csv"), &e);
    strbuf_add(&out, "", 0);
    for (pull s; c && (s = csv_next(c, &e)) != PULL_END;) {
        if (s == PULL_BAD)
            strbuf_printf(&out, "!%d", (int)csv_line(c));
        for (size_t i = 0; i < csv_fields(c); i++)
            strbuf_printf(&out, "%s%s", i ? "|" : "", csv_field(c, i));
        strbuf_printf(&out, ";");
    }
    EXPECT_INT(e.code, ERR_NONE);
    csv_close(c);
    return out.s;
}

TEST(csv_reads_rows)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {
        {"a,b\n1,2\n", "a|b;1|2;"},
        {"a,b\r\n1,\"\"\r\n", "a|b;1|;"},
        {"\xef\xbb\xbf"
         "a\n\n\r\n b \n",
         "a; b ;"},
        {"\"a,b\",\"c\"\"d\",\"e\nf\"\nx", "a,b|c\"d|e\nf;x;"},
        {",\n,,", "|;||;"},
        {"a\n\"b\nc\n", "a;!2;c;"},
        {"a\n\"b\nc\"d\ne", "a;!2;!3;e;"},
        {"\"a\" ,b\nc", "!1;c;"},
        {"a\"b\nc", "!1;c;"},
        {"\"\"\"\"\n", "\";"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(rows_of(cases[i].text, strlen(cases[i].text)), cases[i].rows);
    EXPECT_STR(rows_of("a,\0b\nc", 6), "!1;c;");
}

TEST(csv_bounds_a_row)
{
    strbuf text = {0};
    for (int i = 0; i < 300; i++)
        strbuf_printf(&text, "x,");
    strbuf_printf(&text, "\nok\n\"");
    for (int i = 0; i < CSV_BYTES; i++)
        strbuf_printf(&text, i % 64 ? "x" : "\n");
    const char *rows = rows_of(text.s, text.len);
    EXPECT(str_starts(rows, "!1;ok;!3;xxx"));
    strbuf_free(&text);
}

// csv-spectrum: each file has its rows as JSON beside it.
static void check_case(arena *a, const char *path)
{
    err e = {0};
    size_t n;
    const char *column[16];
    char *text = file_read(a, arena_printf(a, "%.*s.expected.json", (int)strlen(path) - 4, path),
                           1 << 16, &n, &e);
    json *want = text ? json_parse(text, n, &e) : NULL;
    csv *c = csv_open(path, &e);
    if (!test_expect(want && c && csv_next(c, &e) == PULL_ONE && csv_fields(c) <= 16, __FILE__,
                     __LINE__, "%s: %s", path, e.text))
        return;
    size_t columns = csv_fields(c), rows = 0;
    for (size_t i = 0; i < columns; i++)
        column[i] = arena_strdup(a, csv_field(c, i));
    for (; csv_next(c, &e) == PULL_ONE; rows++)
        for (size_t i = 0; i < columns && i < csv_fields(c); i++)
            EXPECT_STR(csv_field(c, i), json_str(json_get(json_at(want, rows), column[i]), NULL));
    EXPECT_INT(rows, json_len(want));
    csv_close(c);
    json_free(want);
}

TEST(csv_reads_the_shared_spectrum)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    char **paths = file_glob(&a, "../shared/data/malformed/csv/*.csv", &n, &e);
    if (!paths)
        test_skip("../shared/data/malformed/csv is not there");
    for (size_t i = 0; i < n; i++)
        check_case(&a, paths[i]);
    arena_free(&a);
}

// Between fields stands what the first line has most of.
TEST(csv_delimiters)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {{"path;label\na.mid;joy\n", "path|label;a.mid|joy;"},
                 {"path;label\n\"a;b,c\";1,5\n", "path|label;a;b,c|1,5;"},
                 {"path\tlabel\na.mid\tjoy\n", "path|label;a.mid|joy;"},
                 {"\xef\xbb\xbfpath;label\r\na;b\r\n", "path|label;a|b;"},
                 {"a,b;c\n1,2;3\n", "a|b;c;1|2;3;"},
                 {"\n\"x,y\";z\n1;2\n", "x,y|z;1|2;"},
                 {"path\na;b\n", "path;a;b;"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(rows_of(cases[i].text, strlen(cases[i].text)), cases[i].rows);
}
