// SPDX-License-Identifier: GPL-3.0-or-later
// index.c: fuzz target (`make fuzz`): any bytes as an index, in each way it may be written, or as
// the vector beside a MIDI file. The first byte chooses; each reading gives the same rows.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/readers/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct {
    const char *reader, *file;
    bool beside; // a song's vector: there is no index
} kinds[] = {{"maestro", "i.csv", false},        {"maestro", "i.json", false},
             {"midi_emotion", "i.csv", false},   {"midi_emotion", "i.jsonl", false},
             {"nsynth", "i.json", false},        {"audio_manifest", "i.jsonl", false},
             {"midi_emotion", "song.json", true}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static uint64_t read_all(const char *root, int k)
{
    err e = {0};
    reader_item item;
    uint64_t steps = 0;
    reader_options o = {.root = root, .index = kinds[k].beside ? NULL : kinds[k].file};
    reader *r = reader_open(reader_find(kinds[k].reader, &e), &o, &e);
    for (pull s; r && (s = reader_next(r, &item, &e)) != PULL_END; steps = steps * 3 + (uint64_t)s)
        CHECK(s == PULL_ONE ? item.path && (item.file || item.midi) : e.code != ERR_NONE);
    reader_close(r);
    return steps;
}

static void put(const char *root, const char *name, const uint8_t *bytes, size_t n)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char root[64];
    if (n == 0)
        return 0;
    if (!root[0]) {
        snprintf(root, sizeof root, "%s/kmidi-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(root));
    }
    int k = bytes[0] % KINDS;
    put(root, "song.mid", bytes, 0); // a reader does not open it
    put(root, kinds[k].file, bytes + 1, n - 1);
    CHECK(read_all(root, k) == read_all(root, k));
    return 0;
}
