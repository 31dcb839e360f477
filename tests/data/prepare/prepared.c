// SPDX-License-Identifier: GPL-3.0-or-later
// prepared.c: prepare with lines of YAML (prepared.h).
#include "tests/data/prepare/prepared.h"

#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "tests/test.h"

bool prepared(const char *out, const char *yaml, int jobs, int part, int parts, prepare_report *r,
              err *e)
{
    arena a = {0};
    env v = {0};
    config *c = config_open(prepare_table(&a), &a);
    prepare_job job = {
        .out = arena_strdup(&a, test_path(out)), .jobs = jobs, .part = part, .parts = parts};
    *e = (err){0};
    bool ok = config_parse(c, yaml, strlen(yaml), "test.yaml", e) && config_finish(c, e) &&
              prepare_run(c, &job, &v, r, e);
    arena_free(&a);
    return ok;
}

bool prepared_alike(const char *a, const char *b)
{
    return test_shell(NULL, "diff -r %s %s", test_path(a), test_path(b)) == 0;
}

const char *prepared_rejects(arena *a, const char *out)
{
    size_t n;
    const char *path = arena_printf(a, "%s/rejected.jsonl", test_path(out));
    char *text = file_read(a, path, 1 << 20, &n, NULL);
    return text ? text : "";
}
