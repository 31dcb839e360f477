// SPDX-License-Identifier: GPL-3.0-or-later
// same.c: two runs are compared by every array that they have saved, and by their records.
#include "tests/train/same.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/h5.h"
#include "checkpoint/checkpoint.h"
#include "tests/test.h"
#include "tests/train/small.h"

// Two checkpoints, dataset by dataset: weights, adapters, averages, moments, state, all by the
// checksum of their bytes. What a clock says differs.
static int compare_group(h5 *x, h5 *y, const char *group, arena *a)
{
    static const char *const others[] = {"state/seconds", "state/metrics_bytes", "meta/config"};
    char **names, *one, *other;
    size_t n;
    err e = {0};
    int datasets = 0;
    EXPECT_OK(h5_list(x, group, a, &names, &n, &e), e);
    for (size_t i = 0; names && i < n; i++) {
        const char *name =
            !strcmp(group, "/") ? names[i] : arena_printf(a, "%s/%s", group, names[i]);
        if (!h5_get_text(x, name, "sha256", a, &one, NULL)) {
            datasets += compare_group(x, y, name, a);
            continue;
        }
        bool same = h5_get_text(y, name, "sha256", a, &other, NULL) && !strcmp(one, other);
        test_expect(same || !strcmp(name, others[0]) || !strcmp(name, others[1]) ||
                        !strcmp(name, others[2]),
                    __FILE__, __LINE__, "'%s' differs", name);
        datasets++;
    }
    return datasets;
}

char *same_metrics(const char *dir, arena *a)
{
    size_t n;
    err e = {0};
    char *text = file_read(a, arena_printf(a, "%s/metrics.jsonl", dir), 1 << 24, &n, &e);
    return text ? small_without_clock(text) : NULL;
}

int64_t same_step(const char *dir, arena *a)
{
    checkpoint *k = checkpoint_open(arena_printf(a, "%s/checkpoints/last.h5", dir), a, NULL);
    int64_t step = k ? k->state.step : -1;
    checkpoint_close(k);
    return step;
}

void same_runs(const char *one, const char *other, int64_t steps)
{
    arena a = {0};
    err e = {0};
    size_t n;
    h5 *x = h5_open(arena_printf(&a, "%s/checkpoints/last.h5", one), &e),
       *y = h5_open(arena_printf(&a, "%s/checkpoints/last.h5", other), &e);
    EXPECT_OK(x && y && h5_verify(x, &n, &e) && h5_verify(y, &n, &e), e);
    if (x && y)
        EXPECT(compare_group(x, y, "/", &a) > 30 && compare_group(y, x, "/", &a) > 30);
    h5_close(x), h5_close(y);
    EXPECT_INT(same_step(other, &a), steps);
    EXPECT_STR(same_metrics(other, &a), same_metrics(one, &a));
    EXPECT_INT(test_shell(NULL, "find %s -name '*.tmp-*' | grep .", other), 1);
    arena_free(&a);
}

void same_measured(void)
{
    EXPECT_INT(test_shell(NULL, "for f in \"$XDG_CACHE_HOME\"/kmidi/machine-*.json; do "
                                "[ ! -f \"$f\" ] || sed -i 's/\"load\": [0-9.]*/\"load\": 0/' "
                                "\"$f\"; done"),
               0);
}
