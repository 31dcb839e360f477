// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_ends.c: a manifest, a disk, a signal that ends the work, and how it goes on.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/music/synth.h"
#include "data/shards/shard.h"
#include "tests/data/prepare/sound_files.h"
#include "tests/test.h"

// The bad corpora of the shared data, each as its catalogue says.
TEST(prepare_takes_malformed_manifests_as_catalogued)
{
    static const char root[] = "../shared/data/malformed";
    if (!file_exists("../shared/data/malformed/cases.jsonl")) {
        test_skip("../shared/data/malformed is not here");
        return;
    }
    arena a = {0};
    err e = {0};
    size_t n;
    char *cases = file_read(&a, arena_printf(&a, "%s/cases.jsonl", root), 1 << 24, &n, &e);
    int seen = 0;
    for (char *p = cases, *end; p && (end = strchr(p, '\n')); p = end + 1) {
        json *j = json_parse(p, (size_t)(end - p), &e);
        if (!strcmp(json_str(json_get(j, "kind"), ""), "manifest")) {
            const char *path = json_str(json_get(j, "path"), ""),
                       *expect = json_str(json_get(j, "expect"), ""), *out;
            int rc = test_shell(
                &out, "%s prepare configs/data/audio_manifest.yaml --out %s/%d root=%s/%s",
                test_kmidi(), test_dir(), seen++, root, path);
            test_expect(rc == 0 || rc == 1, __FILE__, __LINE__, "%s: exit %d", path, rc);
            if (strcmp(expect, "tolerate") != 0)
                test_expect(rc == !strcmp(expect, "reject"), __FILE__, __LINE__,
                            "%s: exit %d, expected %s: %s", path, rc, expect, out);
            if (strstr(path, "bad_line"))
                EXPECT_HAS(out, "line 2");
        }
        json_free(j);
    }
    EXPECT(seen >= 8);
    arena_free(&a);
}

// Killed at any instant, run again: the same as if nothing had happened, and nothing lies about.
TEST(prepare_survives_kill)
{
    const char *out,
        *command = "configs/data/synth.yaml synth.items=240 synth.seconds=1 shard_items=8 --jobs 2";
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s/whole", test_kmidi(), command, test_dir()),
               0);
    for (int i = 1; i <= 6; i++) {
        int rc = test_shell(&out, "timeout -s KILL 0.0%d %s prepare %s --out %s/killed", 3 * i,
                            test_kmidi(), command, test_dir());
        EXPECT(rc == 0 || rc == 137);
    }
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s/killed", test_kmidi(), command, test_dir()),
               0);
    EXPECT(prepared_alike("whole", "killed"));
}

// ^C while items are under way: exit 75, nothing half, and the same command goes on.
TEST(prepare_stopped_by_ctrl_c_goes_on)
{
    const char *out, *command = "configs/data/synth.yaml synth.items=300 synth.seconds=1 "
                                "shard_items=5 --jobs 2 --quiet";
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s/whole", test_kmidi(), command, test_dir()),
               0);
    int rc = test_shell(&out,
                        "cd %s; (cd - >/dev/null; exec %s prepare %s --out %s/stopped) & p=$!; "
                        "while kill -0 $p && ! ls stopped/*.h5 2>/dev/null; "
                        "do sleep 0.01; done; kill -INT $p; wait $p",
                        test_dir(), test_kmidi(), command, test_dir());
    EXPECT_INT(rc, 75);
    EXPECT_HAS(out, "the same command continues with the shards that are missing");
    EXPECT_INT(test_shell(&out, "ls -A %s/stopped | grep tmp", test_dir()), 1);
    EXPECT_INT(
        test_shell(&out, "%s prepare %s --out %s/stopped", test_kmidi(), command, test_dir()), 0);
    EXPECT(prepared_alike("whole", "stopped"));
}

TEST(prepare_on_a_full_disk_says_so_and_leaves_nothing_half)
{
    const char *out;
    sounds_put_corpus(40);
    int rc = test_shell(&out,
                        "trap '' XFSZ; ulimit -f 100; %s prepare configs/data/audio_manifest.yaml "
                        "--out %s/out root=%s",
                        test_kmidi(), test_dir(), test_dir());
    EXPECT_INT(rc, 1);
    EXPECT_HAS(out, "out/");
    EXPECT_INT(test_shell(&out, "ls %s/out | grep -v rejected", test_dir()), 1);
    EXPECT_STR(out, "");
}

TEST(prepare_says_what_stands_in_the_way)
{
    err e = {0};
    prepare_report r;
    EXPECT_ERR(sounds_prepare("out", "", 1, 1, 1, &r, &e), e, ERR_MISSING, "manifest.jsonl");
    sounds_put_manifest("{\"label\": 1}\n");
    EXPECT_ERR(sounds_prepare("out", "", 1, 1, 1, &r, &e), e, ERR_EMPTY, "line 1");
    sounds_put_manifest("{\"synthetic\": true}\n");
    sounds_put_corpus(8);
    EXPECT_ERR(sounds_prepare("out", "mel2: 3\n", 1, 1, 1, &r, &e), e, ERR_CONFIG, "test.yaml");
    EXPECT_ERR(sounds_prepare("out", "shard_items: many\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "shard_items");
    EXPECT_OK(file_write(test_path("file"), "x", 1, &e), e);
    EXPECT_ERR(sounds_prepare("file", "", 1, 1, 1, &r, &e), e, ERR_IO, "file");
}

// ---- Stages, each of which tells how far it is and can be stopped

typedef struct stages {
    const char *stop_in; // NULL: in none
    char seen[200];
    bool stop;
} stages;

static void see(void *user, const char *stage, uint64_t done, uint64_t total, uint64_t rejected)
{
    stages *s = user;
    (void)done, (void)total, (void)rejected;
    if (!strstr(s->seen, stage))
        snprintf(s->seen + strlen(s->seen), sizeof s->seen - strlen(s->seen), "%s; ", stage);
    s->stop = s->stop || (s->stop_in && !strcmp(stage, s->stop_in));
}

static bool stops(void *user)
{
    return ((stages *)user)->stop;
}

static bool run_stages(stages *s, err *e)
{
    arena a = {0};
    prepare_report r;
    config *c = config_open(prepare_table(&a), &a);
    const env v = {.stop = stops, .user = s};
    const prepare_job job = {.out = arena_strdup(&a, test_path("staged")),
                             .jobs = 2,
                             .part = 1,
                             .parts = 1,
                             .told = see,
                             .user = s};
    const char *yaml = arena_printf(&a,
                                    "dataset: audio_manifest\nroot: %s\nindex: manifest.jsonl\n"
                                    "features: [mel]\nmel: {sample_rate: 8000, n_mels: 16}\n",
                                    test_dir());
    *e = (err){0};
    bool ok = config_parse(c, yaml, strlen(yaml), "test.yaml", e) && config_finish(c, e) &&
              prepare_run(c, &job, &v, &r, e);
    arena_free(&a);
    return ok;
}

TEST(prepare_tells_and_stops_in_every_stage)
{
    static const char *const each[] = {"read the index", "compare the files", "look for the shards",
                                       "prepare"};
    err e;
    sounds_put_corpus(200);
    for (int i = 0; i < 4; i++) {
        stages s = {.stop_in = each[i]};
        EXPECT_ERR(run_stages(&s, &e), e, ERR_STOPPED, "the same command continues");
        EXPECT(strstr(s.seen, each[i]) && (i == 3 || !strstr(s.seen, each[i + 1])));
    }
    stages s = {0};
    EXPECT_OK(run_stages(&s, &e), e);
    EXPECT_STR(s.seen, "read the index; compare the files; look for the shards; prepare; ");
}
