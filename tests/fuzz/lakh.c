// SPDX-License-Identifier: GPL-3.0-or-later
// lakh.c: fuzz target (`make fuzz`): any bytes as the names in a folder, as the readers that walk
// through folders meet them. Names are ended by a zero; the byte before each says whether it is a
// file, a folder, or a link to the name before it, which may be a loop. Each file is found below
// the root, and a second reading finds the same.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/readers/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { NAMES = 64, NAME = 200 }; // the most of an input
enum { A_FILE, A_FOLDER, A_LINK, KINDS };

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

// What cannot be made, as a file below a file, is not there then; the reader meets the rest.
static void make_one(const char *root, int kind, const char *name, const char *before)
{
    err e = {0};
    arena a = {.name = "fuzz"};
    const char *path = path_join(&a, root, name);
    bool made = file_make_dirs(kind == A_FOLDER ? path : path_dir(&a, path), &e);
    FILE *f = made && kind == A_FILE ? fopen(path, "ab") : NULL;
    if (f)
        fclose(f);
    if (made && kind == A_LINK)
        made = symlink(path_join(&a, root, before), path) == 0;
    arena_free(&a);
}

static void make_all(const char *root, const uint8_t *bytes, size_t n)
{
    char name[NAME], before[NAME] = "";
    const uint8_t *end;
    for (int i = 0; i < NAMES && n > 2 && (end = memchr(bytes + 1, 0, n - 1)) != NULL; i++) {
        size_t length = (size_t)(end - bytes) - 1;
        snprintf(name, sizeof name, "%s", (const char *)bytes + 1);
        // nothing is made outside of the root
        if (length > 0 && length < NAME && name[0] != '/' && !strstr(name, "..")) {
            make_one(root, bytes[0] % KINDS, name, before);
            memcpy(before, name, sizeof before);
        }
        n -= length + 2;
        bytes = end + 1;
    }
}

static uint64_t read_all(const char *root)
{
    err e = {0};
    reader_item item;
    uint64_t steps = 0;
    reader *r = reader_open(reader_find("lakh", &e), &(reader_options){.root = root}, &e);
    CHECK(r);
    for (pull s; (s = reader_next(r, &item, &e)) != PULL_END; steps = steps * 3 + (uint64_t)s) {
        CHECK(item.path && item.path[0]);
        CHECK(s == PULL_ONE
                  ? str_starts(item.midi, root) && !item.file && !(item.group && !item.group[0])
                  : e.text[0] != 0);
    }
    CHECK(e.code == (r->entries ? ERR_NONE : ERR_EMPTY));
    reader_close(r);
    return steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char root[64];
    snprintf(root, sizeof root, "%s/kmidi-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(root));
    make_all(root, bytes, n);
    CHECK(read_all(root) == read_all(root));
    CHECK(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
