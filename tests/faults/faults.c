// SPDX-License-Identifier: GPL-3.0-or-later
// faults.c (tests): any call of the system may fail. Whichever does, a command ends in one sentence
// and exit status 1, or goes on and gives what it gives without the fault; no file under a final
// name is damaged, and no temporary one is left.
//
// tests/faults/shim.c lets the n-th call of a kind fail. `make test` takes a sample; KMIDI_FAULTS=N
// takes up to N places of each kind in each command, and KMIDI_FAULT_ONLY=train,malloc one command
// or kind of them; both print a table.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/environment.h"
#include "tests/faults/contents.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/same.h"
#include "tests/train/small.h"

static const struct {
    const char *name, *line;
} commands[] = {
#define COMMAND(name, line) {name, line},
#include "tests/faults/commands.def"
#undef COMMAND
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct {
    const char *kind;
    int number[2]; // errno in turn; 0: a short write
} kinds[] = {{"write", {5, 28}},  {"write", {0, 4}},           {"stdio", {5, 28}},
             {"fsync", {5, 28}},  {"ftruncate", {5, 27}},      {"rename", {5, 13}},
             {"link", {5, 1}},    {"unlink", {5, 1}},          {"mkdir", {28, 13}},
             {"close", {5, 122}}, {"open", {5, 24}},           {"read", {5, 4}},
             {"flock", {37, 95}}, {"fork", {11, 12}},          {"malloc", {12, 12}},
             {"mmap", {12, 12}},  {"pthread_create", {11, 11}}};
enum { KINDS = sizeof kinds / sizeof *kinds, LEAST_KINDS = 3 }; // that every command makes

// Libraries that crash or leave when a small piece of memory of their own is refused: it was they
// who asked, and they in whose code the program ended (a crash of ours over what they returned is
// none of these). Files under final names are whole all the same.
static const struct {
    const char *kind, *library, *why;
} listed[] = {
    {"malloc", "libhdf5",
     "1.10 follows a null pointer (H5A__close) or calls exit(-1) (H5I_register); we ask for room "
     "before we enter it (h5.c)"},
    {"malloc", "libhwloc", "2.9 follows a null pointer where it reads what the system has"},
    {"malloc", "libcrypto", "3.0 follows a null pointer where it looks for a digest"},
    {"malloc", "libfftw3", "asserts that it gets memory for its plans"},
    {"malloc", "libgomp", "leaves by exit(1) with a line of its own"},
    {"malloc", "libstdc++",
     "oneDNN makes its code with new, and no caller in C can catch what that throws"},
    {"pthread_create", "libgomp", "the same"},
    {"mmap", "libdnnl", "2.6 crashes in its own code where memory is refused to it"},
};

typedef enum outcome { SAID, WENT_ON, LISTED, NOT_REACHED, OUTCOMES } outcome;

typedef struct faults {
    char base[300], out[320], shim[PATH_MAX];
    int count[COMMANDS][KINDS][OUTCOMES];
    char *reference[2], *before; // the outputs without a fault, twice; what lay there at first
    // those of either library of products, since one that is refused memory gives way to the other
    char *other[2];
} faults;

// ---- What a command left

// Line `name` of `text`; NULL when there is none.
static const char *line_of(const char *text, const char *name, size_t n)
{
    for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, name, n) && p[n] == ' ')
            return p;
    return NULL;
}

static bool same_line(const char *a, const char *b)
{
    size_t n = strcspn(a, "\n");
    return n == strcspn(b, "\n") && !strncmp(a, b, n);
}

// Whether `text` has this very line; files of several folders may have one name.
static bool has_line(const char *text, const char *line)
{
    for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (same_line(p, line))
            return true;
    return false;
}

// Whether every file of that name holds the same in both.
static bool same_files(const char *a, const char *b, const char *name, size_t n)
{
    for (const char *p = a; (p = line_of(p, name, n)); p = strchr(p, '\n') + 1)
        if (!has_line(b, p))
            return false;
    return true;
}

// What a run that ends in an error may have got to in its own way: shards and checkpoints of
// another step, the list of what was refused, the digests so far.
static bool may_end(const char *name, size_t n)
{
    static const char *const own[] = {".h5", "rejected.jsonl", ".notes"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (n >= strlen(own[i]) && !strncmp(name + n - strlen(own[i]), own[i], strlen(own[i])))
            return true;
    return false;
}

static bool other_library(const faults *f, const char *line)
{
    return has_line(f->other[0], line) || has_line(f->other[1], line);
}

// What is wrong with a file that lies there: a temporary one, a damaged one, one that is neither as
// it would be without the fault nor as it was before; NULL: nothing. `whole`: all of them must be
// there.
static const char *wrong_file(const faults *f, const char *now, bool whole, bool swept, arena *a)
{
    for (const char *p = now; *p; p = strchr(p, '\n') + 1) {
        size_t n = strcspn(p, " ");
        const char *was = line_of(f->reference[0], p, n), *again = line_of(f->reference[1], p, n);
        bool temp = strstr(p, ".tmp-") && strstr(p, ".tmp-") < strchr(p, '\n');
        bool damaged = strstr(p, "DAMAGED") && strstr(p, "DAMAGED") < strchr(p, '\n');
        if (temp && !swept)
            continue;
        if (temp || damaged)
            return arena_printf(a, "%.*s", (int)strcspn(p, "\n"), p);
        bool steady = was && again && same_files(was, f->reference[1], p, n) &&
                      same_files(again, f->reference[0], p, n) && (whole || !may_end(p, n));
        if (steady && !has_line(f->reference[0], p) && !other_library(f, p) &&
            (whole || !has_line(f->before, p)))
            return arena_printf(a, "'%.*s' instead of '%.*s'", (int)strcspn(p, "\n"), p,
                                (int)strcspn(was, "\n"), was);
    }
    for (const char *p = f->reference[0]; whole && *p; p = strchr(p, '\n') + 1)
        if (*p != '.' && !line_of(now, p, strcspn(p, " ")))
            return arena_printf(a, "'%.*s' is not there", (int)strcspn(p, "\n"), p);
    return NULL;
}

// ---- One run

// What of the fixture's stands there already; NULL: nothing.
static const char *from_of(int k)
{
    return !strcmp(commands[k].name, "resume")     ? "run"
           : strstr(commands[k].line, "/planned ") ? "planned"
                                                   : NULL;
}

// Runs command k with `fault` set ("" for none); its output, by which it is judged, in *said.
static int run_command(const faults *f, int k, const char *fault, const char **said)
{
    char line[2000];
    const char *from = from_of(k);
    snprintf(line, sizeof line, commands[k].line, f->base, f->out);
    return test_shell(said,
                      "rm -rf %s %s/told; mkdir -p %s; %s%s%s%s%s%s; timeout -s KILL 100 env "
                      "KMIDI_FAULT=%s KMIDI_FAULT_TOLD=%s/told LD_PRELOAD=%s "
                      "%s %s >%s.stdout",
                      f->out, f->base, f->out, from ? "cp -a " : ":", from ? f->base : "",
                      from ? "/" : "", from ? from : "", from ? " " : "", from ? f->out : "",
                      *fault ? fault : "count:0:0", f->base, f->shim, test_kmidi(), line, f->out);
}

static bool is_within(const char *words, const char *from, const char *end)
{
    const char *at = strstr(from, words);
    return at && end && at < end;
}

static int count_sentences(const char *said, const char *name)
{
    arena a = {0};
    const char *mark = arena_printf(&a, "kmidi %s: ", strcmp(name, "resume") ? name : "train");
    int n = 0, files = 0; // that a summary counts: a sentence for each
    for (const char *p = said; (p = strstr(p, mark)); p += strlen(mark)) {
        const char *end = strchr(p, '\n');
        bool sums = is_within("files did not pass", p, end) || is_within(" runs failed; ", p, end);
        n += (p == said || p[-1] == '\n') && !str_starts(p + strlen(mark), "warning:") && !sums;
        files = sums ? atoi(p + strlen(mark)) : files;
    }
    n = files && n == files ? 1 : n;
    n += str_starts(said, "kmidi: out of memory"); // before it was known which command
    arena_free(&a);
    return n;
}

// The library that made the call, in the first line of what the shim told, is listed; it ended the
// program, by the second.
static bool is_listed(const char *kind, const char *told)
{
    const char *end = strchr(told, '\n');
    for (size_t i = 0; end && i < sizeof listed / sizeof *listed; i++) {
        const char *asked = strstr(told, listed[i].library);
        if (!strcmp(listed[i].kind, kind) && asked && asked < end && strstr(end, listed[i].library))
            return true;
    }
    return false;
}

static void judge(faults *f, int k, int kind, const char *fault)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *said, *name = kinds[kind].kind;
    int status = run_command(f, k, fault, &said);
    const char *from = file_read(&a, arena_printf(&a, "%s/told", f->base), 4096, &n, &e);
    bool good = status == 0 || (status == 1 && count_sentences(said, commands[k].name) == 1);
    bool is = !good && from && is_listed(name, from);
    const char *wrong =
        wrong_file(f, faults_contents(f->out, &a), status == 0, !is && strcmp(name, "unlink"), &a);
    f->count[k][kind][!from ? NOT_REACHED : is ? LISTED : status == 0 ? WENT_ON : SAID]++;
    test_expect((good || is) && !wrong, __FILE__, __LINE__,
                "KMIDI_FAULT=%s kmidi %s (command %d): exit status %d, %s, called from %s: %s",
                fault, commands[k].name, k, status, wrong ? wrong : "files are well",
                from ? from : "nowhere", said);
    arena_free(&a);
}

// How often command k made calls of this kind when it was last counted.
static long count_calls(const faults *f, const char *kind)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *text = file_read(&a, arena_printf(&a, "%s/told", f->base), 4096, &n, &e);
    const char *line = text ? strstr(text, arena_printf(&a, "%s ", kind)) : NULL;
    long calls = line ? atol(line + strlen(kind) + 1) : 0;
    arena_free(&a);
    return calls;
}

// ---- All

static bool find_shim(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        snprintf(slash, (size_t)(PATH_MAX - (slash - out)), "/faults/shim.so");
    return slash && file_exists(out) && !SANITIZED;
}

#define MAKE(...) EXPECT_INT(test_shell(&out, __VA_ARGS__), 0)

static void make_fixture(faults *f)
{
    const char *out, *k = test_kmidi(), *b = f->base;
    snprintf(f->base, sizeof f->base, "%s", test_path("base"));
    snprintf(f->out, sizeof f->out, "%s", test_path("out"));
    corpus_make_songs(b, "melody_transformer"), corpus_make_songs(b, "dynamics_engine");
    MAKE("%s train %s/dynamics_engine.yaml --run-dir %s/run train.epochs=1", k, b, b);
    MAKE("%s train %s/melody_transformer.yaml --run-dir %s/melody train.epochs=1 "
         "train.batch_size=24 data.window=4",
         k, b, b);
    MAKE("%s train %s/dynamics_engine.yaml --run-dir %s/adapted train.epochs=1 lora.base=%s/run "
         "lora.r=2 lora.target_modules=all-linear",
         k, b, b, b);
    MAKE("%s slurm sweep %s/dynamics_engine.yaml train.seed=1 train.epochs=1 --out %s/planned "
         "--threads 1",
         k, b, b);
    MAKE("%s export %s/adapted --format adapter -o %s/adapter", k, b, b);
    MAKE("%s export %s/run --format onnx -o %s/x.onnx && %s export %s/run --format safetensors -o "
         "%s/x.safetensors && %s export %s/run --format pt -o %s/x.pt",
         k, b, b, k, b, b, k, b, b);
    MAKE("%s synth %s/corpus --items 4 --seconds 1", k, b);
    MAKE("%s generate %s/melody --emotion joy --bars 2 -o %s/x.mid", k, b, b);
    MAKE("%s train %s --run-dir %s/ears train.epochs=1 train.batch_size=26", k,
         corpus_make(test_path("base/ears-data")), b);
    same_measured();
}

static void print_command(const faults *f, int k)
{
    for (int i = 0; i < KINDS; i++) {
        const int *n = f->count[k][i], all = n[SAID] + n[WENT_ON] + n[LISTED];
        if (all)
            printf("%-9s %2d %-15s %4d faults: %4d one sentence, %4d went on, %d listed\n",
                   commands[k].name, k, kinds[i].kind, all, n[SAID], n[WENT_ON], n[LISTED]);
    }
}

static bool wanted(int k, int kind)
{
    const char *only = getenv("KMIDI_FAULT_ONLY");
    arena a = {0};
    const char *list = only ? arena_printf(&a, ",%s,", only) : NULL;
    bool command = false, any_command = false, call = false, any_call = false;
    for (int i = 0; only && i < COMMANDS; i++)
        if (strstr(list, arena_printf(&a, ",%s,", commands[i].name)))
            any_command = true, command |= !strcmp(commands[i].name, commands[k].name);
    for (int i = 0; only && i < KINDS; i++)
        if (strstr(list, arena_printf(&a, ",%s,", kinds[i].kind)))
            any_call = true, call |= !strcmp(kinds[i].kind, kinds[kind].kind);
    arena_free(&a);
    return (!any_command || command) && (!any_call || call);
}

// Of `calls` places `most`, spread; in a sample another one for each cell.
static void try_kind(faults *f, int k, int kind, long calls, long most)
{
    long tries = calls < most ? calls : most;
    for (long i = 0; i < tries; i++) {
        char fault[64];
        long n = tries == 1
                     ? 1 + (long)(test_fill_u32((uint32_t)k, (uint32_t)kind) % (uint32_t)calls)
                     : 1 + i * calls / tries;
        int number = kinds[kind].number[(i + k) % 2];
        snprintf(fault, sizeof fault, "%s:%ld:%d%s", kinds[kind].kind, n, number,
                 number && number != 4 && i % 3 == 2 ? "+" : "");
        judge(f, k, kind, fault);
    }
}

static void run_with_either(faults *f, int k, arena *a)
{
    static const char *const libraries[] = {"openblas", "onednn"};
    const char *said;
    for (int i = 0; i < 2; i++) {
        setenv("KMIDI_GEMM", libraries[i], 1);
        f->other[i] = run_command(f, k, "", &said) ? "" : faults_contents(f->out, a);
    }
    environment_restore();
}

static void try_command(faults *f, int k, const char *many)
{
    arena a = {0};
    const char *said;
    run_with_either(f, k, &a);
    f->before =
        from_of(k) ? faults_contents(arena_printf(&a, "%s/%s", f->base, from_of(k)), &a) : "";
    for (int i = 0; i < 2; i++) {
        int status = run_command(f, k, "", &said);
        test_expect(status == 0, __FILE__, __LINE__, "kmidi %s (command %d): %s", commands[k].name,
                    k, said);
        f->reference[i] = faults_contents(f->out, &a);
    }
    // a run with a fault tells less
    long calls[KINDS];
    int made = 0;
    for (int i = 0; i < KINDS; i++)
        calls[i] = count_calls(f, kinds[i].kind), made += calls[i] > 0;
    EXPECT(made >= LEAST_KINDS);
    for (int i = 0; i < KINDS; i++)
        if (wanted(k, i) && (many || (i + k) % 2 == 0))
            try_kind(f, k, i, calls[i], many ? atol(many) : 1);
    arena_free(&a);
}

TEST(faults_end_in_a_sentence_or_change_nothing)
{
    static faults f;
    const char *many = getenv("KMIDI_FAULTS");
    if (!find_shim(f.shim)) {
        test_skip("needs tests/faults/shim.so, which Linux and a build without sanitizers have");
        return;
    }
    make_fixture(&f);
    for (int k = 0; k < COMMANDS; k++) {
        bool any = false;
        for (int i = 0; i < KINDS; i++)
            any |= wanted(k, i);
        if (any)
            try_command(&f, k, many);
        if (any && many)
            print_command(&f, k);
    }
}
