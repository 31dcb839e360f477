// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: fuzz target (`make fuzz`): any bytes as the plan of a sweep. It is one sentence, or runs
// with names that are folders of their own, which are the same when they are written and read
// again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "train/sweep_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char text[] = "model: dynamics_engine\ndata: {train: x.h5}\n";
static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64], yaml[64];

static void leave(void)
{
    unlink(path), unlink(yaml);
    rmdir(folder);
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(name, "w");
    CHECK(f && (n == 0 || fwrite(bytes, 1, n, f) == n) && fclose(f) == 0);
}

static void check(const sweep_plan *p)
{
    CHECK(p->config && p->folder && p->config_text);
    for (size_t i = 0; i < p->n; i++) {
        const sweep_run *r = &p->runs[i];
        CHECK(r->name[0] && !strchr(r->name, '/') && r->name[0] != '.' &&
              strcmp(r->name, "output"));
        for (int k = 0; k < r->n_set; k++)
            CHECK(config_is_override(r->set[k]) && r->set[k][0] != '~');
        CHECK(r->n_set == 0 || r->set);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool made;
    arena a = {.name = "fuzz"};
    err e = {0};
    sweep_plan p, again;
    if (!made) {
        made = mkdtemp(folder) != NULL;
        CHECK(made && atexit(leave) == 0);
        snprintf(path, sizeof path, "%s/plan.jsonl", folder);
        snprintf(yaml, sizeof yaml, "%s/config.yaml", folder);
    }
    put(yaml, text, sizeof text - 1);
    put(path, bytes, n);
    if (sweep_plan_read(&p, folder, &a, &e)) {
        check(&p);
        if (sweep_plan_check(&p, &a, &e)) {
            CHECK(sweep_plan_write(&p, &e) && sweep_plan_read(&again, folder, &a, &e));
            CHECK(sweep_plan_same(&p, &again) && !again.config_edited);
            for (size_t i = 0; i < again.n; i++)
                CHECK(!again.runs[i].edited);
        } else {
            CHECK(e.code != ERR_NONE && e.text[0]);
        }
    } else {
        CHECK(e.code != ERR_NONE && e.text[0]);
    }
    arena_free(&a);
    return 0;
}
