// SPDX-License-Identifier: GPL-3.0-or-later
// test.c: the runner. Tests run in this process, in the order of files and lines; one that crashes is named on its way down.
#include "tests/test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"

// A test program has one state: the list of tests, and the one that runs.
static test_case *first_test, **next_test = &first_test;
static const test_case *current;
static int failures;
static bool skipped;
static char skip_reason[300], folder[300];

void test_register(test_case *t)
{
    *next_test = t;
    next_test = &t->next;
}

bool test_expect(bool ok, const char *file, int line, const char *fmt, ...)
{
    if (ok)
        return true;
    failures++;
    printf("FAIL %s at %s:%d: ", current->name, file, line);
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return false;
}

void test_skip(const char *why)
{
    skipped = true;
    snprintf(skip_reason, sizeof skip_reason, "%s", why);
}

static void remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return;
    DIR *d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    arena scratch = {0};
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(path_join(&scratch, path, entry->d_name));
    if (d)
        closedir(d);
    remove(path);
    arena_free(&scratch);
}

const char *test_dir(void)
{
    if (!folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/kmidi-test-XXXXXX", base && *base ? base : "/tmp");
        CHECK(mkdtemp(folder));
    }
    return folder;
}

const char *test_path(const char *name)
{
    static char paths[8][600];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_dir(), name);
    return path;
}

const char *test_kmidi(void)
{
    const char *named = getenv("KMIDI");
    return named && *named ? named : "./kmidi";
}

static int status_of(int status)
{
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int test_shell(const char **out, const char *fmt, ...)
{
    static strbuf output;
    strbuf command = {0};
    char piece[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && n < (int)sizeof piece);
    strbuf_printf(&command, "{ %s\n} 2>&1", piece);
    fflush(stdout);
    FILE *f = popen(command.s, "r");
    strbuf_free(&command);
    CHECK(f);
    output.len = 0;
    strbuf_add(&output, "", 0);
    for (size_t k; (k = fread(piece, 1, sizeof piece, f)) > 0;)
        strbuf_add(&output, piece, k);
    if (out)
        *out = output.s;
    return status_of(pclose(f));
}

json *test_golden(const char *name)
{
    arena scratch = {0};
    err e = {0};
    size_t n;
    const char *path = arena_printf(&scratch, "tests/golden/%s.json", name);
    char *text = file_read(&scratch, path, (size_t)64 << 20, &n, &e);
    json *j = text ? json_parse(text, n, &e) : NULL;
    test_expect(j != NULL, path, 1, "%s", e.text);
    arena_free(&scratch);
    return j;
}

// Chris Wellons' two-round hash (lowbias32); tests/golden/*.py have the same.
static uint32_t hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

uint32_t test_fill_u32(uint32_t seed, uint32_t i)
{
    return hash(i + hash(seed));
}

float test_fill(uint32_t seed, uint32_t i, float scale)
{
    return (float)((test_fill_u32(seed, i) / 4294967296.0 * 2 - 1) * (double)scale);
}

double test_distance(const float *a, const float *b, size_t n)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]), size = fabs((double)b[i]);
        if (!(d <= most)) // a NaN stays
            most = d;
        if (size > largest)
            largest = size;
    }
    return largest > 0 ? most / largest : most;
}

bool test_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool test_has(const char *text, const char *part)
{
    return text && strstr(text, part);
}

const char *test_shown(const char *s)
{
    return s ? s : "(null)";
}

// Names the test in whose midst the program dies; then the signal does what it always does.
static void on_crash(int number)
{
    const char *name = current ? current->name : "start";
    char line[300];
    int n = snprintf(line, sizeof line, "FAIL %s: signal %d\n", name, number);
    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

static bool is_wanted(const test_case *t, char *const *parts, int n)
{
    for (int i = 0; i < n; i++)
        if (strstr(t->name, parts[i]) || strstr(t->file, parts[i]))
            return true;
    return n == 0;
}

typedef struct tally {
    int passed, failed, skipped;
} tally;

static void run_one(const test_case *t, bool verbose, tally *sum)
{
    current = t, failures = 0, skipped = false;
    double start = hw_seconds();
    t->run();
    const char *verdict = failures ? "FAIL" : skipped ? "skip" : "ok  ";
    if (verbose || (skipped && !failures))
        printf("%s %s (%.3f s)%s%s\n", verdict, t->name, hw_seconds() - start, skipped ? ": " : "", skipped ? skip_reason : "");
    if (failures)
        sum->failed++;
    else if (skipped)
        sum->skipped++;
    else
        sum->passed++;
    if (folder[0])
        remove_tree(folder);
    folder[0] = 0;
    fflush(stdout);
}

static int print_counts(const tally *sum)
{
    printf("%d passed, %d failed", sum->passed, sum->failed);
    if (sum->skipped)
        printf(", %d skipped", sum->skipped);
    putchar('\n');
    return sum->failed > 0;
}

int main(int argc, char **argv)
{
    bool verbose = false, list = false;
    int option;
    char cache[4096];
    while ((option = getopt(argc, argv, "vl")) != -1) {
        if (option == '?') {
            fprintf(stderr, "usage: %s [-v] [-l] [NAME-PART...]\n", argv[0]);
            return 2;
        }
        *(option == 'v' ? &verbose : &list) = true;
    }
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], on_crash);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!getenv("XDG_CACHE_HOME") && getcwd(cache, sizeof cache - 16)) // nobody's own
        setenv("XDG_CACHE_HOME", strcat(cache, "/build/cache"), 1);
    hw_flush_denormals(); // as the program does
    tally sum = {0};
    for (const test_case *t = first_test; t; t = t->next)
        if (is_wanted(t, argv + optind, argc - optind)) {
            if (list)
                printf("%s %s\n", t->file, t->name);
            else
                run_one(t, verbose, &sum);
        }
    return list ? 0 : print_counts(&sum);
}
