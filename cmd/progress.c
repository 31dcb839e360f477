// SPDX-License-Identifier: GPL-3.0-or-later
// progress.c: the terminal. Everything that kmidi prints passes here, under one lock, so that log
// lines, results and the progress line never cut into each other: the progress line is wiped before
// anything else is written and drawn again when next due.
//
// stdout carries results, stderr everything else. SIGPIPE is ignored (main.c): when the reader of
// stdout goes away, results stop and the work goes on, since a training run is worth more than its
// listing.
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hw.h"
#include "cmd/cmd.h"
#include "cmd/pace.h"
#include "cmd/process.h"
#include "cmd/progress.h"

enum { LINE = 512 };

struct console {
    const char *command;
    bool json, quiet, terminal, color;
    int drawn; // lines of progress that stand on the terminal
    int lost;  // errno of the first failed write to stdout, or 0
    log_sink log;
    pthread_mutex_t lock;
};

struct progress {
    struct console *console;
    const char *what;
    uint64_t total;
    pace pace;   // this and what follows are under the console's lock
    double next; // seconds
    int lines;   // the first few that were written, where stderr is no terminal
};

// ---- The console ----

static void wipe(struct console *k)
{
    if (k->drawn > 1)
        fprintf(stderr, "\033[%dA", k->drawn - 1);
    if (k->drawn)
        fputs("\r\033[J", stderr);
    k->drawn = 0;
}

static void log_write(void *user, log_level level, const char *line)
{
    struct console *k = user;
    if (k->quiet && level < LOG_WARN)
        return;
    pthread_mutex_lock(&k->lock);
    wipe(k);
    if (level == LOG_WARN)
        fprintf(stderr, "kmidi %s: %swarning:%s %s\n", k->command, k->color ? "\033[33m" : "",
                k->color ? "\033[0m" : "", line);
    else
        fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&k->lock);
}

struct console *console_open(arena *a, const char *name)
{
    struct console *k = NEW(a, struct console, 1);
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR"), *level = getenv("KMIDI_LOG");
    k->command = name;
    k->terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    k->color = k->terminal && !(plain && *plain);
    k->log = (log_sink){level && !strcmp(level, "debug") ? LOG_DEBUG : LOG_INFO, log_write, k};
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void console_close(struct console *k)
{
    wipe(k);
    fflush(stderr);
    pthread_mutex_destroy(&k->lock);
}

log_sink *console_log(struct console *k)
{
    return &k->log;
}

void console_set(struct console *k, bool as_json, bool quiet)
{
    k->json = as_json;
    k->quiet = quiet;
}

void console_cede(struct console *k)
{
    k->lost = EPIPE;
}

bool console_flush(struct console *k, err *e)
{
    if (fflush(stdout) && !k->lost)
        k->lost = errno;
    if (!k->lost || k->lost == EPIPE)
        return true;
    errno = k->lost;
    return err_errno(e, "cannot write results to standard output");
}

static void out_write(struct console *k, const char *s, size_t n)
{
    pthread_mutex_lock(&k->lock);
    wipe(k);
    if (!k->lost && (fwrite(s, 1, n, stdout) < n || fflush(stdout)))
        k->lost = errno;
    pthread_mutex_unlock(&k->lock);
}

// ---- Results and notes ----

void cmd_text(cmd *c, const char *s, size_t n)
{
    out_write(c->console, s, n);
}

static void out_format(cmd *c, const char *fmt, va_list args)
{
    char *s = NULL;
    int n = vasprintf(&s, fmt, args);
    if (n >= 0)
        out_write(c->console, s, (size_t)n);
    free(s);
}

void cmd_print(cmd *c, const char *fmt, ...)
{
    if (c->json)
        return;
    va_list args;
    va_start(args, fmt);
    out_format(c, fmt, args);
    va_end(args);
    out_write(c->console, "\n", 1);
}

void cmd_json(cmd *c, json *object)
{
    if (c->json) {
        strbuf b = {0};
        json_dump(object, 0, &b);
        strbuf_add(&b, "\n", 1);
        out_write(c->console, b.s, b.len);
        strbuf_free(&b);
    }
    json_free(object);
}

static void note(struct console *k, const char *prefix, const char *fmt, va_list args)
{
    pthread_mutex_lock(&k->lock);
    wipe(k);
    if (prefix)
        fprintf(stderr, "kmidi %s: ", prefix);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&k->lock);
}

void cmd_say(cmd *c, const char *fmt, ...)
{
    if (c->quiet)
        return;
    va_list args;
    va_start(args, fmt);
    note(c->console, NULL, fmt, args);
    va_end(args);
}

void cmd_complain(cmd *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note(c->console, c->self->name, fmt, args);
    va_end(args);
}

// ---- Progress ----

progress *progress_open(cmd *c, const char *what, uint64_t total)
{
    progress *p = NEW(c->arena, progress, 1);
    double now = hw_seconds();
    *p = (progress){c->console, what, .total = total, .pace = pace_start(now, 0)};
    p->next = now + (c->console->terminal ? 0.1 : 5);
    return p;
}

void progress_start_at(progress *p, uint64_t done)
{
    p->pace = pace_start(hw_seconds(), done);
}

static int columns(void)
{
    struct winsize w = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

// Whether a line is due, and then not a second one beside it. On a terminal ten a second; else
// after 5, 10, 20, 40, then every 60 seconds: short jobs say something, long ones do not flood a
// log. *left: seconds, below 0 where nobody knows.
static bool is_due(progress *p, uint64_t done, double *left)
{
    struct console *k = p->console;
    pthread_mutex_lock(&k->lock);
    double now = hw_seconds();
    bool due = now >= p->next;
    pace_tell(&p->pace, now, done);
    *left = pace_left(&p->pace, now, done, p->total);
    if (due && k->terminal)
        p->next = now + 0.1;
    else if (due)
        p->next = now + (p->lines < 4 ? 5 << p->lines++ : 60);
    pthread_mutex_unlock(&k->lock);
    return due;
}

// "train 40/216, 18 s left  loss 1.2": what matters most stands where a narrow terminal does not
// cut it off. Nothing is allocated.
static void progress_line(const progress *p, uint64_t done, double seconds, const char *rest,
                          char out[LINE])
{
    char total[32] = "", left[32], time[48] = "";
    if (p->total)
        snprintf(total, sizeof total, "/%llu", (unsigned long long)p->total);
    if (p->total > done && seconds >= 0)
        snprintf(time, sizeof time, ", %s left", str_human_time(seconds, left));
    snprintf(out, LINE, "%s %llu%s%s%s%s", p->what, (unsigned long long)done, total, time,
             *rest ? "  " : "", rest);
}

void progress_at(progress *p, uint64_t done, const char *fmt, ...)
{
    struct console *k = p->console;
    double left;
    if (k->quiet || !is_due(p, done, &left))
        return;
    char rest[256], line[LINE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(rest, sizeof rest, fmt, args);
    va_end(args);
    progress_line(p, done, left, rest, line);
    pthread_mutex_lock(&k->lock);
    wipe(k);
    if (k->terminal) {
        fprintf(stderr, "%.*s", columns() - 1, line);
        fflush(stderr);
        k->drawn = 1;
    } else
        fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&k->lock);
}

// As many lines as the terminal has room for, each cut to its width.
static int draw_lines(const char *text)
{
    struct winsize w = {0};
    int rows = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 3 ? w.ws_row - 1 : 20, n = 0;
    for (const char *p = text; *p && n < rows; n++) {
        int length = (int)strcspn(p, "\n"), most = columns() - 1;
        fprintf(stderr, "%s%.*s", n ? "\n" : "", length < most ? length : most, p);
        p += length + (p[length] == '\n');
    }
    return n;
}

bool cmd_block(cmd *c, const char *text)
{
    struct console *k = c->console;
    if (!k->terminal || k->quiet)
        return false;
    pthread_mutex_lock(&k->lock);
    wipe(k);
    k->drawn = draw_lines(text);
    fflush(stderr);
    pthread_mutex_unlock(&k->lock);
    return true;
}

void progress_close(progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->console->lock);
    wipe(p->console);
    pthread_mutex_unlock(&p->console->lock);
}
