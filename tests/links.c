// SPDX-License-Identifier: GPL-3.0-or-later
// links.c: who may link to whom. A header can declare what a room above defines, which no include
// shows: so the symbols that an object refers to are looked for in all objects of this build, and
// must be defined in a room that its own may know (rooms.def).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/rooms.h"
#include "tests/test.h"

// A line of nm: an object defines a symbol or refers to it.
typedef struct symbol {
    const char *name, *object; // "autograd/ops/add.v3.o"
} symbol;

typedef struct symbols {
    symbol *list;
    size_t n, cap;
} symbols;

static void add(symbols *s, symbol one)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->list = base_checked(realloc(s->list, sizeof one * s->cap), sizeof one * s->cap);
    }
    s->list[s->n++] = one;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const symbol *)a)->name, ((const symbol *)b)->name);
}

// Of a room, and made of a file that is still there ("X.o" or "X.v3.o" of X.c).
static bool is_current(arena *a, const char *object)
{
    char *source = arena_strdup(a, object), *folder = strrchr(source, '/');
    if (room_of(object) < 0)
        return false;
    for (char *dot = strrchr(source, '.'); dot && dot > folder; dot = strrchr(source, '.')) {
        *dot = 0;
        if (file_exists(arena_printf(a, "%s.c", source)))
            return true;
    }
    return false;
}

// "FOLDER/autograd/run.o: run_step T 0 1a2"
static void read_line(arena *a, const char *line, size_t folder, symbols *defined, symbols *used)
{
    const char *colon = strstr(line, ": "), *name = colon ? colon + 2 : NULL;
    const char *type = name ? strchr(name, ' ') : NULL;
    if (!type || (size_t)(colon - line) <= folder)
        return;
    symbol s = {arena_printf(a, "%.*s", (int)(type - name), name),
                arena_printf(a, "%.*s", (int)(colon - line - (int)folder), line + folder)};
    if (is_current(a, s.object))
        add(strchr("Uwv", type[1]) ? used : defined, s);
}

// The rooms' objects under `folder`, which ends in '/'. False where nm does not read them.
static bool read_symbols(arena *a, const char *folder, symbols *defined, symbols *used)
{
    char line[4096];
    FILE *f = popen(
        arena_printf(a, "find '%s' -name '*.o' -exec nm -A -P -g {} + 2>/dev/null", folder), "r");
    while (f && fgets(line, sizeof line, f))
        read_line(a, line, strlen(folder), defined, used);
    bool ok = f && pclose(f) == 0;
    qsort(defined->list, defined->n, sizeof(symbol), by_name);
    return ok && defined->n;
}

// Defined somewhere among the objects, but nowhere where `u` may look.
static const symbol *out_of_reach(const symbols *defined, const symbol *u)
{
    const symbol *at = bsearch(u, defined->list, defined->n, sizeof *u, by_name),
                 *end = defined->list + defined->n, *wrong = at;
    while (at && at > defined->list && !strcmp(at[-1].name, u->name))
        at--;
    for (; at && at < end && !strcmp(at->name, u->name); at++)
        if (room_may_know(room_of(u->object), at->object))
            return NULL;
    return wrong;
}

// Where the objects of this program lie, with a '/' behind; NULL: not known.
static const char *own_folder(arena *a)
{
    const char *self = test_self(), *end = "tests/all";
    if (str_ends(self, end))
        return arena_printf(a, "%.*s", (int)(strlen(self) - strlen(end)), self);
    test_skip("the objects that this program is made of are not known");
    return NULL;
}

TEST(layering_links_point_one_way)
{
    arena a = {0};
    symbols defined = {0}, used = {0};
    const char *folder = own_folder(&a);
    if (!folder)
        return;
    if (test_shell(NULL, "command -v nm") || !read_symbols(&a, folder, &defined, &used)) {
        test_skip("no nm that reads the objects of this build");
    } else {
        EXPECT(defined.n > 1000 && used.n > 1000);
        for (size_t i = 0; i < used.n; i++) {
            const symbol *wrong = out_of_reach(&defined, &used.list[i]);
            if (wrong)
                test_expect(false, used.list[i].object, 1, "%s may not link to %s of %s",
                            room_folder(room_of(used.list[i].object)), wrong->name, wrong->object);
        }
    }
    free(defined.list);
    free(used.list);
    arena_free(&a);
}

// ---- Data that changes

// The object named in objdump's "FILE:     file format elf64-x86-64"; NULL: another line.
static char *object_of(arena *a, const char *line, size_t folder)
{
    const char *end = strstr(line, ":  ");
    return end && strstr(end, "file format") && (size_t)(end - line) > folder
               ? arena_printf(a, "%.*s", (int)(end - line - (long)folder), line + folder)
               : NULL;
}

// "0000 l     O .bss	0000000000000028 names": the object itself, not its section.
static bool is_mutable(const char *line)
{
    return strstr(line, " O .bss\t") || strstr(line, " O .data\t") ||
           strstr(line, " O .data.rel.local\t") || strstr(line, " O .data.rel\t") ||
           strstr(line, " O .tbss\t") || strstr(line, " O .tdata\t");
}

// What is written while the program runs, and belongs to no one that was opened: the process's own
// (signals, what to say when memory ends, names of files under way) and what stands before foreign
// libraries (locks, what was loaded). Nothing else has a reason to.
TEST(layering_data_that_changes_is_little)
{
    static const char *const places[] = {"cmd/process.o",
                                         "base/arena.o",
                                         "base/file_temp.o",
                                         "base/h5.o",
                                         "base/h5_driver.o",
                                         "data/audio/fft.o",
                                         "autograd/gemm/gemm_openblas.o",
                                         "autograd/gemm/gemm_onednn.o"};
    enum { MOST = sizeof places / sizeof *places };
    arena a = {0};
    const char *folder = own_folder(&a), *object = "";
    int n = 0;
    if (!folder)
        return;
    if (!strstr(folder, "release/") || test_shell(NULL, "command -v objdump")) {
        test_skip("for objects as they are released, and objdump");
        arena_free(&a);
        return;
    }
    char line[4096];
    FILE *f = popen(arena_printf(&a, "find '%s' -name '*.o' -exec objdump -t {} +", folder), "r");
    while (f && fgets(line, sizeof line, f)) {
        char *named = object_of(&a, line, strlen(folder));
        object = named ? named : object;
        if (named || !is_mutable(line) || !is_current(&a, object))
            continue;
        bool known = false;
        for (int i = 0; i < MOST; i++)
            known = known || !strcmp(object, places[i]);
        test_expect(known, object, 1, "has data that changes: %s", strrchr(line, ' '));
        n++;
    }
    EXPECT_INT(f ? pclose(f) : 1, 0);
    EXPECT(n > 0 && n <= MOST);
    arena_free(&a);
}
