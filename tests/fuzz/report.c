// SPDX-License-Identifier: GPL-3.0-or-later
// report.c: fuzz target (`make fuzz`): a run whose record is any bytes. It is read or refused with
// a sentence, and whatever is read becomes a page, alone and beside others.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "train/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", record[64];

static void leave(void)
{
    unlink(record);
    rmdir(folder);
}

static void put(const uint8_t *bytes, size_t n)
{
    if (!*record) {
        CHECK(mkdtemp(folder));
        snprintf(record, sizeof record, "%s/metrics.jsonl", folder);
        atexit(leave);
    }
    FILE *f = fopen(record, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void compare_it(arena *a, strbuf *out)
{
    const char *path = folder;
    runs r;
    compare c;
    err e = {0};
    if (!runs_open_list(&r, &path, 1, a, &e) || !compare_read(&c, &r, a, &e))
        CHECK(e.text[0]);
    else
        compare_page(&c, "fuzz", a, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    strbuf out = {0};
    report_record r;
    put(bytes, n);
    if (report_read(folder, &r, &a, &e))
        report_page(&r, &a, &out);
    else
        CHECK(e.text[0]);
    compare_it(&a, &out);
    strbuf_free(&out);
    arena_free(&a);
    return 0;
}
