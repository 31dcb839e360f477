// SPDX-License-Identifier: GPL-3.0-or-later
// shard_groups.c (tests): classes of groups go into a shard and come out; what does not fit is
// named.
#include "data/loader/dataset.h"
#include "data/shards/shard_set.h"
#include "tests/data/shards/group_files.h"
#include "tests/test.h"

TEST(shard_keeps_classes_of_groups)
{
    err e = {0};
    shard *s = shard_open(group_file_write("a.h5", 0, 12), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->info.n_groups, 2);
    EXPECT_STR(s->info.groups[1].name, "node");
    EXPECT_INT(s->info.groups[1].n, 6);
    EXPECT_STR(s->info.groups[0].classes[1], "cold");
    int64_t known = 0;
    for (int64_t i = 0; i < 12; i++)
        for (int k = 0; k < 2; k++) {
            EXPECT_INT(s->classes[2 * i + k], group_file_class(i, k));
            known += k == 1 && group_file_class(i, k) >= 0;
        }
    int64_t counted = 0;
    for (int c = 2; c < 8; c++) // behind the two of the first group
        counted += s->class_count[c];
    EXPECT_INT(counted, known);
    shard_close(s);
}

TEST(dataset_counts_classes_of_all_shards)
{
    err e = {0};
    const char *patterns[] = {group_file_write("g-0.h5", 0, 12), group_file_write("g-1.h5", 12, 8)};
    dataset *d = dataset_open(patterns, 2, example_find("picture"), &e);
    if (!test_expect(d != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    int64_t hot = 0;
    for (int64_t i = 0; i < 20; i++)
        hot += group_file_class(i, 0) == 0;
    EXPECT_INT(dataset_find_group(d, "node"), 1);
    EXPECT_INT(dataset_find_group(d, "sub"), -1);
    EXPECT_INT(dataset_class_count(d, 0)[0], hot);
    dataset_close(d);
    const char *others[] = {patterns[0], shard_file_write("plain.h5", 0, 5)};
    EXPECT_ERR(dataset_open(others, 2, example_find("picture"), &e) != NULL, e, ERR_MISMATCH,
               "has 0 groups of classes");
    EXPECT_OK((d = dataset_open(others, 2, example_find("mel"), &e)) != NULL, e); // asks for none
    dataset_close(d);
}

TEST(shard_set_counts_classes)
{
    arena a = {0};
    err e = {0};
    shard_set *t = shard_set_open(&a);
    EXPECT_OK(shard_set_add(t, group_file_write("a.h5", 0, 10), &e), e);
    EXPECT_OK(shard_set_add(t, group_file_write("b.h5", 10, 10), &e), e);
    json *facts = shard_set_facts(t);
    const json *base = json_get(json_get(facts, "classes"), "base");
    EXPECT_INT(json_int(json_get(base, "hot"), 0) + json_int(json_get(base, "cold"), 0), 16);
    json_free(facts);
    arena_free(&a);
}

// Written by hand: classes that no group has, counts that no items have.
TEST(shard_refuses_classes_that_do_not_fit)
{
    err e = {0};
    static const char *const what[] = {"classes do not fit their groups",
                                       "'class_count' does not fit the classes",
                                       "attribute 'groups' is not a list of names and classes"};
    for (int k = 0; k < 3; k++) {
        const char *path = group_file_write("b.h5", 0, 6);
        group_file_spoil(path, k);
        EXPECT_ERR(shard_open(path, &e) != NULL, e, ERR_DAMAGED, what[k]);
    }
}
