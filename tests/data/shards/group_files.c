// SPDX-License-Identifier: GPL-3.0-or-later
// group_files.c: shards for tests (group_files.h).
#include "tests/data/shards/group_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

int32_t group_file_class(int64_t i, int group)
{
    int32_t base = i % 5 == 4 ? -1 : (int32_t)(i % 2);
    if (group == 0)
        return base;
    return base < 0 || i % 4 == 3 ? -1 : 3 * base + (int32_t)(i % 3);
}

static bool add_item(shard_writer *w, int64_t i, err *e)
{
    float mel[GROUP_FRAMES * SHARD_BANDS];
    int32_t classes[2] = {group_file_class(i, 0), group_file_class(i, 1)};
    char path[16];
    for (int64_t t = 0; t < GROUP_FRAMES; t++)
        for (int b = 0; b < SHARD_BANDS; b++)
            mel[t * SHARD_BANDS + b] = (float)(b == i % 2       ? 2
                                               : b == 2 + i % 3 ? 3
                                                                : 0) +
                                       test_fill((uint32_t)i, (uint32_t)(t * 100 + b), 0.5f);
    snprintf(path, sizeof path, "i%04d", (int)i);
    return shard_add(w,
                     &(shard_item){.mel = mel,
                                   .frames = GROUP_FRAMES,
                                   .label = (int32_t)(i % 2),
                                   .classes = classes,
                                   .path = path,
                                   .group = "g",
                                   .label_source = "given"},
                     e);
}

const char *group_file_write_some(const char *name, int64_t first, int64_t n, int n_groups)
{
    static const char *const labels[] = {"ant", "bee", "cat"}, *const bases[] = {"hot", "cold"},
                             *const nodes[] = {"a", "b", "c", "d", "e", "f"};
    static const label_group groups[] = {{"base", bases, 2}, {"node", nodes, 6}};
    shard_info info = {.dataset = "test",
                       .split = "train",
                       .labels = labels,
                       .n_labels = 3,
                       .groups = groups,
                       .n_groups = n_groups,
                       .settings =
                           "{\"mel\": {\"sample_rate\": 16000, \"n_mels\": 8, \"log\": \"ln\"}}",
                       .key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                       .n_mels = SHARD_BANDS};
    err e = {0};
    const char *path = test_path(name);
    shard_writer *w = shard_create(path, &info, &e);
    if (!test_expect(w != NULL, __FILE__, __LINE__, "%s", e.text))
        return path;
    for (int64_t i = first; i < first + n; i++)
        EXPECT_OK(add_item(w, i, &e), e);
    EXPECT_OK(shard_finish(w, &e), e);
    return path;
}

const char *group_file_write(const char *name, int64_t first, int64_t n)
{
    return group_file_write_some(name, first, n, 2);
}

// ---- Forgery: everything copied but one thing

static bool copy_texts(h5 *from, h5 *to, const char *name, arena *a, err *e)
{
    char **texts;
    uint64_t n;
    return h5_read_texts(from, name, a, &texts, &n, e) &&
           h5_write(to, name, (h5_shape){H5_TEXT, 1, {n}}, texts, e);
}

static bool copy_numbers(h5 *from, h5 *to, const char *name, h5_shape s, int what, arena *a, err *e)
{
    size_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= (size_t)s.dim[i];
    void *x = arena_alloc(a, n + 1, 8);
    if (!h5_read(from, name, s, x, e))
        return false;
    if (what == 0 && !strcmp(name, "classes"))
        ((int32_t *)x)[1] = 6;
    if (what == 1 && !strcmp(name, "class_count"))
        ((int64_t *)x)[0] ^= 1;
    return h5_write(to, name, s, x, e);
}

static bool copy_attributes(h5 *from, h5 *to, const char *object, int what, arena *a, err *e)
{
    char **names, *text;
    size_t n;
    int64_t number;
    bool ok = h5_attributes(from, object, a, &names, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        bool spoilt = what == 2 && !strcmp(names[i], "groups");
        if (!strcmp(names[i], "sha256"))
            continue;
        if (h5_get_int(from, object, names[i], &number, NULL))
            ok = h5_set_int(to, object, names[i], number, e);
        else if (h5_get_text(from, object, names[i], a, &text, e))
            ok = h5_set_text(to, object, names[i], spoilt ? "[{\"name\": 3}]" : text, e);
    }
    return ok;
}

void group_file_spoil(const char *path, int what)
{
    arena a = {.name = "forgery"};
    err e = {0};
    char **names;
    size_t n;
    const char *kept = arena_printf(&a, "%s.kept", path);
    EXPECT_INT(rename(path, kept), 0);
    h5 *from = h5_open(kept, &e), *to = h5_create(path, &e);
    EXPECT_OK(from && to && copy_attributes(from, to, "/", what, &a, &e), e);
    EXPECT_OK(h5_list(from, "/", &a, &names, &n, &e), e);
    for (size_t i = 0; i < n; i++) {
        h5_shape s;
        EXPECT_OK(h5_stat(from, names[i], &s, &e), e);
        EXPECT_OK(s.type == H5_TEXT ? copy_texts(from, to, names[i], &a, &e)
                                    : copy_numbers(from, to, names[i], s, what, &a, &e),
                  e);
        EXPECT_OK(copy_attributes(from, to, names[i], what, &a, &e), e);
    }
    h5_close(from);
    EXPECT_OK(h5_commit(to, &e), e);
    arena_free(&a);
}
