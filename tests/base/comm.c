// SPDX-License-Identifier: GPL-3.0-or-later
// comm.c (tests): processes that work together. The tests of several are their own children: under
// mpirun this program runs one of them again as a rank.
#include "base/comm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tests/train/several.h"

TEST(comm_of_one_process_is_none)
{
    float x[] = {1, 2}, y[2];
    err e = {0};
    comm *c;
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1); // mpirun -n 1
    EXPECT(comm_open(&c, &e) && c == NULL);
    unsetenv("OMPI_COMM_WORLD_SIZE");
    EXPECT(comm_open(&c, &e) && c == NULL);
    EXPECT(comm_rank(NULL) == 0 && comm_size(NULL) == 1 && comm_speaks(NULL));
    EXPECT(comm_sum(NULL, x, 2, &e) && x[0] == 1 && x[1] == 2);
    EXPECT(comm_gather(NULL, x, sizeof x, y, &e) && y[1] == 2);
    EXPECT(comm_broadcast(NULL, x, sizeof x, &e) && x[1] == 2);
    EXPECT(comm_same(NULL, "text", "a", "no", &e) && comm_agree(NULL, true, &e));
    EXPECT(!comm_agree(NULL, false, &e));
    EXPECT(comm_bytes(NULL, 0) == 0 && comm_seconds(NULL) == 0);
    c = comm_suppose(4);
    EXPECT(comm_size(c) == 4 && comm_rank(c) == 0 && comm_here(c) == 1 && comm_bytes(c, 0) > 0);
    comm_close(c, ERR_NONE);
    comm_close(NULL, ERR_NONE);
}

TEST(comm_needs_a_program_made_for_it)
{
    const char *out;
    if (!test_shell(NULL, "ldd %s | grep -q libmpi", test_kmidi())) {
        test_skip("a program made with MPI=1");
        return;
    }
    EXPECT_INT(test_shell(&out, "PMI_SIZE=2 %s train emotion_recognizer --run-dir %s/run",
                          test_kmidi(), test_dir()),
               2);
    EXPECT_HAS(out, "started as one of several");
    EXPECT_HAS(out, "make MPI=1");
}

// This test in three processes; true in each of them, which then does what it has to.
static bool is_rank(comm **c, const char *name)
{
    err e = {0};
    const char *out;
    if (getenv("KMIDI_TEST_RANK")) {
        EXPECT_OK(comm_open(c, &e), e);
        EXPECT_INT(comm_size(*c), 3);
        return comm_size(*c) == 3;
    }
    if (!several_can_run())
        return false;
    int status = test_shell(&out, "KMIDI_TEST_RANK=1 timeout 60 %s %s %s </dev/null",
                            several_starter(3), test_self(), name);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    return false;
}

enum { LENGTH = 1500011 };

// Large, minus large and small: what comes out tells the order.
static int sum_wrong(comm *c, float *x, int64_t n, bool sent)
{
    err e = {0};
    int rank = comm_rank(c), wrong = 0;
    for (int64_t i = 0; i < n; i++)
        x[i] = rank == 0 ? 1e8f : rank == 1 ? -1e8f : (float)(i % 1000) / 8;
    EXPECT_OK(sent ? comm_way_sum(c, x, n) : comm_sum(c, x, n, &e), e);
    for (int64_t i = 0; i < n; i++)
        wrong += x[i] != (float)(i % 1000) / 8;
    return wrong;
}

TEST(comm_sums_in_the_order_of_ranks)
{
    comm *c;
    err e = {0};
    if (!is_rank(&c, "comm_sums_in_the_order"))
        return;
    size_t bytes = LENGTH * sizeof(float);
    float *x = base_pages(bytes), *shared = base_pages(bytes);
    EXPECT_OK(comm_share(c, shared, bytes, &e), e);
    if (!c->scratch) // as between machines
        c->scratch = calloc(comm_scratch(c), sizeof *c->scratch);
    for (int64_t n = 0; n <= LENGTH; n = n * 7 + 1) {
        EXPECT_INT(sum_wrong(c, x, n, false), 0);
        EXPECT_INT(sum_wrong(c, x, n, true), 0);
        EXPECT_INT(sum_wrong(c, shared, n, false), 0);
    }
    EXPECT_INT(sum_wrong(c, shared, LENGTH, false), 0);
    EXPECT(comm_bytes(c, bytes) > comm_bytes(c, 0));
    comm_close(c, ERR_NONE);
    base_pages_free(x, bytes), base_pages_free(shared, bytes);
}

TEST(comm_tells_all_what_failed_in_one)
{
    comm *c;
    err e = {0};
    if (!is_rank(&c, "comm_tells_all"))
        return;
    int rank = comm_rank(c), all[3], third = rank == 2;
    EXPECT(comm_gather(c, &rank, sizeof rank, all, &e) && all[0] == 0 && all[1] == 1 &&
           all[2] == 2);
    EXPECT(comm_agree(c, true, &e));
    EXPECT(!comm_agree(c, third ? err_set(&e, ERR_IO, "no room") : true, &e));
    EXPECT(e.code == ERR_IO);
    EXPECT_STR(e.text, "rank 2: no room");
    EXPECT(comm_same(c, "list", "one\ntwo\n", "no", &e));
    EXPECT(!comm_same(c, "list", third ? "one\n  three\n" : "one\n  two\n", "make them alike", &e));
    EXPECT_STR(e.text, "rank 2: another list (three) than rank 0 has (two); make them alike");
    comm_close(c, ERR_NONE);
}
