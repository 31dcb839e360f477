// SPDX-License-Identifier: GPL-3.0-or-later
// contents.c (tests): the files below a folder, a line each (contents.h).
#include "tests/faults/contents.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5.h"
#include "base/json.h"
#include "base/str.h"
#include "tests/test.h"

static strbuf *walked; // nftw hands nothing through

static void add_sums(h5 *f, const char *group, int depth, strbuf *out)
{
    arena a = {0};
    char **names, *sum;
    size_t n;
    if (!h5_list(f, group, &a, &names, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++) {
        const char *path =
            strcmp(group, "/") ? arena_printf(&a, "%s/%s", group, names[i]) : names[i];
        if (!strcmp(path, "meta") || !strcmp(path, "state/seconds") ||
            !strcmp(path, "state/metrics_bytes"))
            continue;
        if (h5_get_text(f, path, "sha256", &a, &sum, NULL))
            strbuf_printf(out, " %s=%.12s", path, sum);
        else if (depth < 3)
            add_sums(f, path, depth + 1, out);
    }
    arena_free(&a);
}

// The runs of a sweep's plan without what was measured (their seconds, and their peak, which begins
// with what the program itself holds), which another minute measures otherwise, and without the sum
// over it.
static const char *without_measured(const char *plan, arena *a)
{
    strbuf kept = {0};
    strbuf_add(&kept, "", 0);
    for (const char *line = plan; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        json *j = json_parse(line, strcspn(line, "\n"), NULL);
        if (!j)
            return plan;
        json_set_num(j, "seconds", 0);
        if (json_get(j, "peak_bytes"))
            json_set_int(j, "peak_bytes", 0);
        json_set_str(j, "check", "");
        json_dump(j, 0, &kept);
        json_free(j);
    }
    const char *text = arena_strdup(a, kept.s);
    strbuf_free(&kept);
    return text;
}

// The picture of a plan has milliseconds along its axis, which every minute may measure otherwise:
// what must be said of it is that it is whole.
static const char *whole_picture(const char *svg)
{
    return str_starts(svg, "<svg") && str_ends(svg, "</svg>\n") ? "whole" : "DAMAGED";
}

// What is shown at each frame of a film made by the clock is up to the minute: each frame is there.
static const char *whole_film(const char *film, size_t n)
{
    enum { FRAME = 6 + 3 * 32 * 18 }; // "FRAME\n", then its pixels
    const char *head_end = str_starts(film, "YUV4MPEG2 W32 H18 ") ? strchr(film, '\n') : NULL;
    size_t at = head_end ? (size_t)(head_end + 1 - film) : n;
    while (n - at >= FRAME && !strncmp(film + at, "FRAME\n", 6))
        at += FRAME;
    return head_end && at == n ? "whole" : "DAMAGED";
}

// A line for each file: its name, and what it holds, as far as that is the same every time.
static int add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    static const char *const logs[] = {
        "log.txt", "environment.json", ".lock",  "performance.csv", "report.html", "curve.svg",
        "DONE",    "FAILED",           "STOPPED"};
    const char *name = path + where->base;
    (void)st;
    if (type != FTW_F || str_starts(name, "events.out") || str_starts(name, "metrics.jsonl"))
        return 0;
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
        if (!strcmp(name, logs[i]))
            return 0;
    arena a = {0};
    err e = {0};
    size_t n;
    strbuf_printf(walked, "%s", name);
    if (str_ends(name, ".h5")) {
        h5 *f = h5_open(path, &e);
        if (f && h5_verify(f, &n, &e))
            add_sums(f, "/", 0, walked);
        else
            strbuf_printf(walked, " DAMAGED: %s", e.text);
        h5_close(f);
    } else {
        const char *bytes = file_read(&a, path, 1 << 28, &n, &e);
        if (bytes && !strcmp(name, "plan.jsonl"))
            bytes = without_measured(bytes, &a), n = strlen(bytes);
        if (bytes && str_ends(name, ".svg"))
            bytes = whole_picture(bytes), n = strlen(bytes);
        if (bytes && !strcmp(name, "q.y4m")) // commands.def
            bytes = whole_film(bytes, n), n = strlen(bytes);
        strbuf_printf(walked, " %zu %08x%s", n, bytes ? crc32c(bytes, n) : 0,
                      bytes && !strcmp(bytes, "DAMAGED") ? " DAMAGED" : "");
    }
    strbuf_add(walked, "\n", 1);
    arena_free(&a);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *faults_contents(const char *dir, arena *a)
{
    strbuf found = {0}, sorted = {0};
    walked = &found;
    strbuf_add(&found, "", 0);
    nftw(dir, add_file, 16, FTW_PHYS);
    char *lines[400], *rest = found.s;
    size_t n = 0;
    for (char *line; n < 400 && (line = strsep(&rest, "\n")) && *line;)
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_text);
    strbuf_add(&sorted, "", 0);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&sorted, "%s\n", lines[i]);
    char *text = arena_strdup(a, sorted.s);
    strbuf_free(&found);
    strbuf_free(&sorted);
    return text;
}
