// SPDX-License-Identifier: GPL-3.0-or-later
// test.c: the runner. Tests run in this process, in the order of files and lines; one that crashes
// is named on its way down.
#include "tests/test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"
#include "tests/environment.h"
#include "tests/matrix.h"

// A test program has one state: the list of tests, and the one that runs.
static test_case *first_test, **next_test = &first_test;
static const test_case *current;
static tally sum;
static int failures;
static bool skipped;
static char skip_reason[300], folder[300];
static const char *self;

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

bool test_files_alike(const char *a, const char *b)
{
    const char *out;
    return test_shell(&out, "cmp '%s' '%s'", test_path(a), test_path(b)) == 0;
}

const char *test_kmidi(void)
{
    const char *named = getenv("KMIDI");
    return named && *named ? named : "./kmidi";
}

const char *test_self(void)
{
    return self;
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
        most = larger(most, d), largest = larger(largest, size);
    }
    return largest == 0 ? most : most / largest;
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

// Seconds until a test is said to hang; the slowest takes a minute on a busy machine. KMIDI_HANGS
// sets others, for what KMIDI_FAULTS and KMIDI_KILLS make long.
static int hangs = SANITIZED ? 3600 : 900;

// Names the test in whose midst the program dies, and counts; then the signal does what it always
// does, and the guard ends what the test had begun.
static void on_crash(int number)
{
    const char *name = current ? current->name : "start";
    char line[400], why[60];
    snprintf(why, sizeof why, number == SIGALRM ? "does not end in %d s" : "signal %d",
             number == SIGALRM ? hangs : number);
    int n = snprintf(line, sizeof line, "FAIL %s: %s\n%d passed, %d failed, and others not run\n",
                     name, why, sum.passed, sum.failed + 1);
    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

enum { MOST_NOT = 256 };

static bool is_named(const char *pattern, const char *name)
{
    size_t n = strcspn(pattern, "*");
    return pattern[n] ? !strncmp(pattern, name, n) : !strcmp(pattern, name);
}

// -x NAME: all but that test; NAME*: but those that begin so. -s I/N: every N-th, from the I-th on,
// of all in their order.
typedef struct choice {
    const char * not [MOST_NOT];
    int n_not, first, step, seen;
} choice;

static bool is_chosen(choice *c, const char *name)
{
    bool turn = c->seen++ % c->step == c->first;
    for (int i = 0; i < c->n_not; i++)
        if (is_named(c->not [i], name))
            return false;
    return turn;
}

static bool is_wanted(const test_case *t, char *const *parts, int n)
{
    for (int i = 0; i < n; i++)
        if (strstr(t->name, parts[i]) || strstr(t->file, parts[i]))
            return true;
    return n == 0;
}

static void run_one(const test_case *t, bool verbose)
{
    current = t, failures = 0, skipped = false;
    double start = hw_seconds();
    alarm((unsigned)hangs);
    t->run();
    alarm(0);
    environment_restore();
    const char *verdict = failures ? "FAIL" : skipped ? "skip" : "ok  ";
    if (verbose || (skipped && !failures))
        printf("%s %s (%.3f s)%s%s\n", verdict, t->name, hw_seconds() - start, skipped ? ": " : "",
               skipped ? skip_reason : "");
    if (failures)
        sum.failed++;
    else if (skipped)
        sum.skipped++;
    else
        sum.passed++;
    if (folder[0])
        remove_tree(folder);
    folder[0] = 0;
    fflush(stdout);
}

// How far it is: on a terminal in place, elsewhere a line for each tenth. Not beside -v, which
// names each test.
static void show_progress(int all)
{
    enum { MANY = 100 }; // fewer need no lines
    int done = sum.passed + sum.failed + sum.skipped;
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal && done == all)
        printf("\r\033[K");
    else if (terminal)
        printf("\r%d of %d tests%s", done, all, sum.failed ? ", some failed" : "");
    else if (all >= MANY && done % (all / 10) == 0 && done < all)
        printf("%d of %d tests%s\n", done, all, sum.failed ? ", some failed" : "");
    fflush(stdout);
}

static int print_counts(void)
{
    printf("%d passed, %d failed", sum.passed, sum.failed);
    if (sum.skipped)
        printf(", %d skipped", sum.skipped);
    putchar('\n');
    return sum.failed > 0;
}

typedef struct how {
    bool verbose, list;
    choice chosen;
} how;

// "I/N": every N-th test from the I-th on, which counts from 0. A share that holds no test would
// pass without a look at anything.
static bool read_share(const char *text, choice *c)
{
    return sscanf(text, "%d/%d", &c->first, &c->step) == 2 && c->first >= 0 && c->first < c->step;
}

// False where a word is none of ours.
static bool read_options(int argc, char **argv, how *h)
{
    choice *c = &h->chosen;
    for (int option; (option = getopt(argc, argv, "vlx:s:")) != -1;) {
        if (option == '?')
            return false;
        if (option == 's' && !read_share(optarg, c))
            return false;
        if (option == 'x' && c->n_not == MOST_NOT)
            return false;
        if (option == 'x')
            c->not [c->n_not++] = optarg;
        h->verbose |= option == 'v', h->list |= option == 'l';
    }
    return true;
}

static void prepare(const char *program)
{
    const char *seconds = getenv("KMIDI_HANGS");
    hangs = seconds ? atoi(seconds) : hangs;
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    char cache[4096];
    self = program;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], on_crash);
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_guard();
    if (getcwd(cache, sizeof cache - 16)) // never the user's own
        setenv("XDG_CACHE_HOME", strcat(cache, "/build/cache"), 1);
    environment_note();
    hw_flush_denormals(); // as the program does
}

static void run_wanted(how *h, char *const *parts, int n)
{
    int all = 0;
    for (const test_case *t = first_test; t; t = t->next)
        all += is_wanted(t, parts, n);
    for (const test_case *t = first_test; t; t = t->next) {
        if (!is_wanted(t, parts, n) || !is_chosen(&h->chosen, t->name))
            continue;
        if (h->list) {
            printf("%s %s\n", t->file, t->name);
            continue;
        }
        run_one(t, h->verbose);
        if (!h->verbose)
            show_progress(all);
    }
}

int main(int argc, char **argv)
{
    static const test_case matrix = {.name = "matrix", .file = "tests/matrix.c"};
    how h = {.chosen.step = 1};
    if (!read_options(argc, argv, &h)) {
        fprintf(stderr, "usage: %s [-v] [-l] [-x NOT-THIS]... [-s I/N] [NAME-PART...]\n", argv[0]);
        return 2;
    }
    prepare(argv[0]);
    char *const *parts = argv + optind;
    run_wanted(&h, parts, argc - optind);
    if (h.list)
        return 0;
    if (is_wanted(&matrix, parts, argc - optind) && is_chosen(&h.chosen, matrix.name))
        matrix_run(h.verbose, &sum);
    return print_counts();
}
