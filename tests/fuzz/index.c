// SPDX-License-Identifier: GPL-3.0-or-later
// index.c: fuzz target (`make fuzz`): any bytes as an index, in each way it may be written. The first byte chooses; each reading gives the
// same rows.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct {
    const char *reader, *index;
} kinds[] = {{"maestro", "i.csv"},        {"maestro", "i.json"}, {"midi_emotion", "i.csv"},
             {"midi_emotion", "i.jsonl"}, {"nsynth", "i.json"},  {"audio_manifest", "i.jsonl"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static uint64_t read_all(const char *root, int k)
{
    err e = {0};
    reader_item item;
    uint64_t steps = 0;
    reader_options o = {.root = root, .index = kinds[k].index};
    reader *r = reader_open(reader_find(kinds[k].reader, &e), &o, &e);
    for (reader_step s; r && (s = reader_next(r, &item, &e)) != READER_END; steps = steps * 3 + (uint64_t)s)
        CHECK(s == READER_ITEM ? item.path && (item.file || item.midi) : e.code != ERR_NONE);
    reader_close(r);
    return steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char root[64];
    if (n == 0)
        return 0;
    if (!root[0]) {
        snprintf(root, sizeof root, "%s/kmidi-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(root));
    }
    int k = bytes[0] % KINDS;
    char path[96];
    snprintf(path, sizeof path, "%s/%s", root, kinds[k].index);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes + 1, 1, n - 1, f) == n - 1 && fclose(f) == 0);
    CHECK(read_all(root, k) == read_all(root, k));
    return 0;
}
