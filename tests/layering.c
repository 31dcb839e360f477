// SPDX-License-Identifier: GPL-3.0-or-later
// layering.c: the house rules that a compiler does not know (docs/ARCHITECTURE.md): who may include
// whom, where foreign libraries enter, who may print, and that tables and files agree. Runs over
// the sources in the current folder.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/rooms.h"
#include "tests/test.h"

// Where there are sources that are no part of the program.
static const char *const others[] = {"tests", "tests/*", "tests/*/*", "tests/*/*/*", "bench"};
enum { OTHERS = sizeof others / sizeof *others };

typedef struct source {
    const char *path, *text;
} source;

typedef struct tree {
    arena arena;
    int n;
    source list[2000];
} tree;

static void tree_add(tree *t, const char *pattern)
{
    err e = {0};
    size_t n = 0, bytes;
    char **paths = file_glob(&t->arena, pattern, &n, &e);
    for (size_t i = 0; paths && i < n && t->n < 2000; i++) {
        const char *text = file_read(&t->arena, paths[i], 1 << 22, &bytes, &e);
        if (test_expect(text != NULL, __FILE__, __LINE__, "%s", e.text))
            t->list[t->n++] = (source){paths[i], text};
    }
}

static void tree_add_folder(tree *t, const char *folder)
{
    tree_add(t, arena_printf(&t->arena, "%s/*.c", folder));
    tree_add(t, arena_printf(&t->arena, "%s/*.h", folder));
}

// The sources of the program.
static tree *tree_open(arena *a)
{
    tree *t = NEW(a, tree, 1);
    for (int i = 0; i < room_count(); i++)
        tree_add_folder(t, room_folder(i));
    return t;
}

static const char *next_line(const char *p)
{
    const char *end = strchr(p, '\n');
    return end ? end + 1 : p + strlen(p);
}

// The file that a line includes, or NULL; "x.h" and <x.h> alike.
static const char *included(const char *line, char out[256])
{
    while (*line == ' ')
        line++;
    if (*line != '#')
        return NULL;
    line += 1 + strspn(line + 1, " ");
    if (!str_starts(line, "include"))
        return NULL;
    line += strcspn(line, "\"<\n");
    size_t n = *line == '\n' || !*line ? 0 : strcspn(line + 1, "\">\n");
    if (!n || n >= 256)
        return NULL;
    memcpy(out, line + 1, n);
    out[n] = 0;
    return out;
}

TEST(layering_knowledge_points_one_way)
{
    arena a = {0};
    const tree *t = tree_open(&a);
    EXPECT(t->n > 100);
    for (int i = 0; i < t->n; i++)
        for (const char *p = t->list[i].text; *p; p = next_line(p)) {
            char name[256];
            int from = room_of(t->list[i].path);
            if (included(p, name) && room_of(name) >= 0)
                test_expect(room_may_know(from, name), t->list[i].path, 1, "%s may not include %s",
                            room_folder(from), name);
        }
    arena_free(&((tree *)t)->arena);
    arena_free(&a);
}

TEST(layering_foreign_libraries_enter_through_one_file)
{
    const char *headers = "sndfile.h|hdf5.h|fftw3.h|cblas.h|dnnl.h|oneapi/dnnl/dnnl.h|yaml.h|"
                          "jansson.h|soxr.h|hwloc.h|openssl/evp.h|openssl/sha.h|onnx.pb-c.h|smf.h|"
                          "csv.h|rubberband/rubberband-c.h|pcre2.h|mpg123.h|ogg/ogg.h|"
                          "FLAC/stream_decoder.h|zip.h|curl/curl.h|espeak-ng/speak_lib.h|"
                          "microhttpd.h|jack/jack.h|jack/midiport.h|alsa/asoundlib.h";
    char header[64];
    arena a = {0};
    const tree *t = tree_open(&a);
    while (str_name(&headers, header)) {
        const char *first = NULL;
        for (int i = 0; i < t->n; i++)
            for (const char *p = t->list[i].text; *p; p = next_line(p)) {
                char name[256];
                if (!included(p, name) || strcmp(name, header))
                    continue;
                test_expect(!first || !strcmp(first, t->list[i].path), t->list[i].path, 1,
                            "%s is included by %s already", name, first);
                first = t->list[i].path;
            }
    }
    arena_free(&((tree *)t)->arena);
    arena_free(&a);
}

// ---- Printing and leaving

// Where a library room may: each with its reason.
static const struct {
    const char *path, *call;
} allowed[] = {
    {"base/err.c", "fprintf"},        // CHECK: our own mistake, before abort
    {"base/err.c", "abort"},          // the same
    {"base/arena.c", "fprintf"},      // out of memory where nobody installed a handler
    {"base/arena.c", "abort"},        // the same
    {"base/arena.c", "exit"},         // the same
    {"base/worker_child.c", "_exit"}, // worker processes have no caller to return to
    {"base/child.c", "_exit"},        // nor has a child that could not become the program
};

static bool is_allowed(const char *path, const char *call)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (!strcmp(allowed[i].path, path) && !strcmp(allowed[i].call, call))
            return true;
    return false;
}

// The call `name(` in code (not behind //, not part of a longer name).
static bool calls(const char *line, const char *name)
{
    const char *end = line + strcspn(line, "\n"), *comment = strstr(line, "//");
    size_t n = strlen(name);
    if (comment && comment < end)
        end = comment;
    for (const char *p = line; p + n < end; p++)
        if (!strncmp(p, name, n) && p[n] == '(' &&
            (p == line || !(isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == '"')))
            return true;
    return false;
}

TEST(layering_only_cmd_prints_or_exits)
{
    static const char *const names[] = {"printf", "puts",  "putchar", "vprintf",    "perror",
                                        "exit",   "_exit", "_Exit",   "quick_exit", "abort"};
    arena a = {0};
    const tree *t = tree_open(&a);
    for (int i = 0; i < t->n; i++) {
        const char *path = t->list[i].path;
        for (const char *p = t->list[i].text; !str_starts(path, "cmd/") && *p; p = next_line(p)) {
            for (size_t k = 0; k < sizeof names / sizeof *names; k++)
                if (calls(p, names[k]))
                    test_expect(is_allowed(path, names[k]), path, 1,
                                "calls %s: only cmd/ prints or exits", names[k]);
            const char *end = p + strcspn(p, "\n"), *stream = strstr(p, "stderr");
            stream = stream ? stream : strstr(p, "stdout");
            if (stream && stream < end && calls(p, "fprintf"))
                test_expect(is_allowed(path, "fprintf"), path, 1,
                            "writes to the terminal: only cmd/ prints");
        }
    }
    arena_free(&((tree *)t)->arena);
    arena_free(&a);
}

// ---- Tables and files

static const struct {
    const char *def, *macro, *folder;
    const char *before, *after; // what stands around a name where it is defined
} tables[] = {
    {"autograd/ops/ops.def", "OP(", "autograd/ops", "const op_def VARIANT(op_", ")"},
    {"autograd/optim/optim.def", "OPTIM(", "autograd/optim", "const optim_def VARIANT(optim_", ")"},
    {"data/features/features.def", "FEATURE(", "data/features",
     "const feature_def VARIANT(feature_", ")"},
    {"data/labels/sets.def", "SET(", "data/labels", "const label_set label_set_", " "},
    {"data/loader/examples/examples.def", "EXAMPLE(", "data/loader/examples",
     "const example_def example_", " "},
    {"data/readers/readers.def", "READER(", "data/readers", "const reader_def reader_", " "},
    {"models/models.def", "MODEL(", "models", "const model_def model_", " "},
    {"export/exports.def", "EXPORT(", "export/formats", "const export_def export_", " "},
    {"cmd/cmds.def", "CMD(", "cmd", "const command cmd_", " "},
    {"serve/http/routes/routes.def", "ROUTE(", "serve/http/routes", "const route route_", " "},
};

static bool text_has_name(const char *text, const char *before, const char *name, const char *after)
{
    size_t n = strlen(before), m = strlen(name);
    for (const char *p = strstr(text, before); p; p = strstr(p + 1, before))
        if (!strncmp(p + n, name, m) && !strncmp(p + n + m, after, strlen(after)))
            return true;
    return false;
}

// A row's name and the file that has it: OP(name, ...), or OP_IN(file, name, ...); false: no row.
static bool read_row(arena *a, const char *line, const char *macro, const char **file,
                     const char **name)
{
    const char *shared = arena_printf(a, "%.*s_IN(", (int)strcspn(macro, "("), macro);
    bool in = str_starts(line, shared);
    if (!in && !str_starts(line, macro))
        return false;
    line += strlen(in ? shared : macro);
    *file = *name = arena_printf(a, "%.*s", (int)strcspn(line, ",)"), line);
    if (in)
        line += strlen(*file) + 2, *name = arena_printf(a, "%.*s", (int)strcspn(line, ",)"), line);
    return true;
}

// Every line has its file with the definition in it.
static void check_lines(arena *a, size_t k, const char *def)
{
    err e = {0};
    size_t n;
    for (const char *p = def; *p; p = next_line(p)) {
        const char *file, *name;
        if (!read_row(a, p, tables[k].macro, &file, &name))
            continue;
        const char *path = arena_printf(a, "%s/%s.c", tables[k].folder, file),
                   *text = file_read(a, path, 1 << 22, &n, &e);
        if (test_expect(text != NULL, tables[k].def, 1, "'%s' has no file %s", name, path))
            test_expect(text_has_name(text, tables[k].before, name, tables[k].after), path, 1,
                        "does not define '%s'", name);
    }
}

static bool has_row(arena *a, const char *def, const char *macro, const char *path,
                    const char *defined)
{
    for (const char *p = def; *p; p = next_line(p)) {
        const char *file, *name, *stem = arena_printf(a, "%s", path_base(path));
        if (read_row(a, p, macro, &file, &name) && !strcmp(name, defined) &&
            !strncmp(stem, file, strlen(file)) && !strcmp(stem + strlen(file), ".c"))
            return true;
    }
    return false;
}

// Every definition has its line, which names its file.
static void check_files(arena *a, size_t k, const char *def)
{
    tree *t = NEW(a, tree, 1);
    tree_add(t, arena_printf(a, "%s/*.c", tables[k].folder));
    for (int i = 0; i < t->n; i++)
        for (const char *p = t->list[i].text; (p = strstr(p, tables[k].before));) {
            p += strlen(tables[k].before);
            if (*p == '#') // the table's own macro
                continue;
            const char *name = arena_printf(a, "%.*s", (int)strcspn(p, ") "), p);
            test_expect(has_row(a, def, tables[k].macro, t->list[i].path, name), t->list[i].path, 1,
                        "no line %s%s) of this file in %s", tables[k].macro, name, tables[k].def);
        }
    arena_free(&t->arena);
}

TEST(layering_tables_and_files_agree)
{
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        arena a = {0};
        err e = {0};
        size_t n;
        const char *def =
            file_exists(tables[k].def) ? file_read(&a, tables[k].def, 1 << 20, &n, &e) : NULL;
        if (def) {
            check_lines(&a, k, def);
            check_files(&a, k, def);
        }
        arena_free(&a);
    }
}

// ---- Files

TEST(layering_every_source_has_a_licence_an_essay_and_a_size)
{
    arena a = {0};
    tree *t = tree_open(&a);
    for (int i = 0; i < OTHERS; i++)
        tree_add_folder(t, others[i]);
    for (int i = 0; i < t->n; i++) {
        const char *path = t->list[i].path, *text = t->list[i].text;
        int lines = 0;
        for (const char *p = text; *p; p = next_line(p))
            lines++;
        test_expect(str_starts(text, "// SPDX-License-Identifier: GPL-3.0-or-later\n"), path, 1,
                    "has no SPDX line");
        test_expect(str_starts(next_line(text), "// "), path, 2, "does not say what it is");
        test_expect(lines <= (str_ends(path, ".h") ? 160 : 400), path, lines, "is %d lines long",
                    lines);
    }
    arena_free(&((tree *)t)->arena);
    arena_free(&a);
}

TEST(layering_scripts_have_a_licence)
{
    static const char *const patterns[] = {"Makefile",         "*.sh",       "tests/golden/*.py",
                                           "tests/peers/*.py", "bench/*.py", "bench/*.sh",
                                           ".ci/run"};
    arena a = {0};
    tree *t = NEW(&a, tree, 1);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        tree_add(t, patterns[i]);
    EXPECT(t->n > 0);
    for (int i = 0; i < t->n; i++) {
        const char *line = t->list[i].text;
        if (str_starts(line, "#!"))
            line = next_line(line);
        test_expect(str_starts(line, "# SPDX-License-Identifier: GPL-3.0-or-later\n"),
                    t->list[i].path, 1, "has no SPDX line");
    }
    arena_free(&t->arena);
    arena_free(&a);
}

// ---- Lists

// The noun of a list: "data/readers/readers.def" -> READER, "checkpoint_state.def" -> STATE.
static const char *noun_of(arena *a, const char *path)
{
    const char *base = path_base(path), *last = strrchr(base, '_');
    char *noun = arena_strdup(a, last ? last + 1 : base);
    noun[strcspn(noun, ".")] = 0;
    size_t n = strlen(noun);
    if (n && noun[n - 1] == 's')
        noun[n - 1] = 0;
    for (char *p = noun; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return noun;
}

static void check_list(arena *a, const source *s)
{
    const char *noun = noun_of(a, s->path);
    size_t n = strlen(noun);
    bool inside = false; // of a row that goes on
    int depth = 0, line = 1;
    for (const char *p = s->text; *p; p = next_line(p), line++) {
        size_t length = strcspn(p, "\n");
        test_expect(length <= 100, s->path, line, "is wider than a page");
        if (!inside && *p != '/' && *p != '#' && *p != '\n')
            test_expect(!strncmp(p, noun, n) && (p[n] == '(' || p[n] == '_'), s->path, line,
                        "a row of this list begins with %s( or %s_", noun, noun);
        for (size_t i = 0; i < length && (inside || *p != '/'); i++)
            depth += p[i] == '(' ? 1 : p[i] == ')' ? -1 : 0;
        inside = depth > 0;
    }
}

// One layout for all lists: rows of one noun, from the first column on.
TEST(layering_lists_have_one_layout)
{
    static const char *const places[] = {"*.def", "*/*.def", "*/*/*.def", "*/*/*/*.def"};
    arena a = {0};
    tree *t = NEW(&a, tree, 1);
    for (int i = 0; i < 4; i++)
        tree_add(t, places[i]);
    EXPECT(t->n >= 10);
    for (int i = 0; i < t->n; i++)
        check_list(&a, &t->list[i]);
    arena_free(&t->arena);
    arena_free(&a);
}
