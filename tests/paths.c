// SPDX-License-Identifier: GPL-3.0-or-later
// paths.c: files that comments and documents speak of are there, and lines are as long as a page is
// wide.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/test.h"

enum { COLUMNS = 100, PATH_MOST = 200 };

// What is searched: all sources and documents, as patterns.
static const char *const places[] = {"*.md",         "docs/*.md",  "bench/*.md", "rooms.def",
                                     "*/*.[ch]",     "*/*.def",    "*/*/*.[ch]", "*/*/*.def",
                                     "*/*/*/*.[ch]", "*/*/*/*.def"};

typedef void check_fn(arena *a, const char *path, const char *text);

static void for_each_file(check_fn *check, const char *pattern)
{
    arena a = {0};
    err e = {0};
    size_t n = 0, bytes;
    char **paths = file_glob(&a, pattern, &n, &e);
    test_expect(n > 0, __FILE__, __LINE__, "there is no %s", pattern);
    for (size_t i = 0; paths && i < n; i++) {
        if (str_starts(paths[i], "build") || str_starts(paths[i], "demo/") ||
            str_starts(paths[i], "player/"))
            continue;
        const char *text = file_read(&a, paths[i], 1 << 22, &bytes, &e);
        if (test_expect(text != NULL, __FILE__, __LINE__, "%s", e.text))
            check(&a, paths[i], text);
    }
    arena_free(&a);
}

static void for_each_place(check_fn *check)
{
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        for_each_file(check, places[k]);
}

// ---- Paths

static bool is_path_char(char c)
{
    return isalnum((unsigned char)c) || strchr("_./-", c);
}

// A path from the root of the tree: its first folder is one of ours, its ending one of a source,
// and nothing in it stands for a name (X, NAME, *).
static bool is_ours(const char *path)
{
#define ROOM(folder, known) #folder "/",
    static const char *const roots[] = {
#include "rooms.def"
        "configs/", "tests/", "bench/", "docs/", "python/", "include/", "examples/"};
#undef ROOM
    static const char *const ends[] = {".c", ".h", ".def", ".md", ".py", ".sh", ".yaml", ".txt"};
    bool root = false, end = false;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        root = root || str_starts(path, roots[i]);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        end = end || str_ends(path, ends[i]);
    for (const char *p = path; *p; p++)
        if (isupper((unsigned char)*p) && !str_ends(path, ".md"))
            return false;
    return root && end;
}

static void check_path(const char *from, int line, const char *p, size_t n)
{
    char path[PATH_MOST];
    while (n && strchr(".-", p[n - 1]))
        n--;
    if (n >= sizeof path)
        return;
    memcpy(path, p, n);
    path[n] = 0;
    if (is_ours(path))
        test_expect(file_exists(path), from, line, "speaks of %s, which is not there", path);
}

static void check_paths(arena *a, const char *from, const char *text)
{
    (void)a;
    int line = 1;
    if (!strcmp(from, "CHANGELOG.md")) // it speaks of the past
        return;
    bool code = str_ends(from, ".c") || str_ends(from, ".h"), comment = !code;
    for (const char *p = text; *p; p++) {
        line += *p == '\n';
        comment = code ? *p != '\n' && (comment || (p[0] == '/' && p[1] == '/')) : comment;
        if (!comment || !is_path_char(*p) ||
            (p > text && (is_path_char(p[-1]) || strchr("$~*%\"", p[-1]))))
            continue;
        size_t n = 0;
        while (p[n] && is_path_char(p[n]))
            n++;
        if (p[n] != '*' && p[n] != '%')
            check_path(from, line, p, n);
    }
}

TEST(paths_that_are_named_are_there)
{
    for_each_place(check_paths);
}

// A toy's `where` (tests/toys/toys.sh): FILE DEF LINE, where the lines of DEF begin with the macro
// that LINE begins with.
static void check_where(arena *a, const char *from, const char *text)
{
    char file[PATH_MOST], def[PATH_MOST], macro[32];
    err e = {0};
    size_t bytes;
    if (!test_expect(sscanf(text, "%199s %199s %31[A-Z_](", file, def, macro) == 3, from, 1,
                     "is not FILE DEF LINE"))
        return;
    test_expect(file_exists(path_dir(a, file)), from, 1, "there is no folder of %s", file);
    const char *table = file_read(a, def, 1 << 20, &bytes, &e);
    if (test_expect(table != NULL, from, 1, "%s", e.text))
        test_expect(strstr(table, arena_printf(a, "\n%s(", macro)) != NULL, from, 1,
                    "no line of %s begins with %s(", def, macro);
}

TEST(paths_of_toys_have_the_macros_of_their_tables)
{
    for_each_file(check_where, "tests/toys/*/where");
}

// ---- Columns

// Of characters: bytes that go on with one do not count. Tables of documents and texts that a
// program compares may be wider.
static void check_columns(arena *a, const char *from, const char *text)
{
    (void)a;
    int line = 1, column = 0;
    bool document = str_ends(from, ".md"), wide = false;
    for (const char *p = text; *p; p++) {
        if (*p == '\n') {
            test_expect(!wide, from, line, "is wider than %d columns", COLUMNS);
            line++, column = 0, wide = false;
            continue;
        }
        column += ((unsigned char)*p & 0xc0) != 0x80;
        wide = wide || (column > COLUMNS && !document);
    }
}

TEST(paths_lines_fit_a_page)
{
    for_each_place(check_columns);
}

// Loops that gcc 12 for aarch64 dies on (base/larger.h); and by which a test, besides, would call
// well what is no number.
static void check_larger(arena *a, const char *from, const char *text)
{
    static const char *const wide[] = {"fabs(", "(double)"};
    int line = 1;
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n', line++) {
        const char *most = arena_printf(a, "%.*s", (int)strcspn(p, "\n"), p);
        most = strstr(most, "= fmax(");
        for (int i = 0; most && i < 2; i++)
            test_expect(!strstr(most, wide[i]), from, line, "say larger() of base/larger.h");
    }
}

TEST(paths_sizes_are_compared_by_larger)
{
    for_each_place(check_larger);
}
