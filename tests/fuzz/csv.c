// SPDX-License-Identifier: GPL-3.0-or-later
// csv.c: fuzz target (`make fuzz`): any bytes as a CSV file. Each row is one of bounded fields or
// one sentence, lines are counted upwards, and a second reading gives the same.
#include "data/readers/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char path[64];

static void leave(void)
{
    unlink(path);
}

// A sum over what the row holds, so that two readings can be compared.
static uint64_t row_sum(const csv *c)
{
    uint64_t sum = csv_fields(c);
    size_t total = 0;
    CHECK(csv_fields(c) > 0 && csv_fields(c) <= CSV_FIELDS);
    for (size_t i = 0; i < csv_fields(c); i++) {
        const char *field = csv_field(c, i);
        total += strlen(field);
        for (const char *p = field; *p; p++)
            sum = sum * 31 + (unsigned char)*p;
    }
    CHECK(total <= CSV_BYTES);
    return sum;
}

static uint64_t read_all(void)
{
    err e = {0};
    int64_t line = 0;
    uint64_t sum = 0;
    csv *c = csv_open(path, &e);
    if (!c) {
        CHECK(e.code == ERR_EMPTY && e.text[0]);
        return 0;
    }
    for (pull s; (s = csv_next(c, &e)) != PULL_END; line = csv_line(c)) {
        CHECK(csv_line(c) > line);
        CHECK(s == PULL_ONE || (e.code != ERR_NONE && e.text[0]));
        sum = sum * 37 + (s == PULL_ONE ? row_sum(c) : 1);
    }
    csv_close(c);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!path[0]) {
        snprintf(path, sizeof path, "%s/kmidi-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        int fd = mkstemp(path);
        CHECK(fd >= 0 && close(fd) == 0 && atexit(leave) == 0);
    }
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    CHECK(read_all() == read_all());
    return 0;
}
