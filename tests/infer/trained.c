// SPDX-License-Identifier: GPL-3.0-or-later
// trained.c: what a run writes about its input is what the session reads; and damage to any of it
// is named by every command that uses the model.
#include "infer/trained.h"

#include <string.h>

#include "data/loader/dataset.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "train/shards.h"

// A run on shards of mel frames, one step long; its best checkpoint.
static const char *small_run(arena *a)
{
    const char *out, *yaml = corpus_make(test_path("data")),
                     *folder = arena_strdup(a, test_path("run"));
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s train.max_steps=1 data.eval_crop=center "
                          "data.eval_views=3 2>&1",
                          test_kmidi(), yaml, folder),
               0);
    return arena_printf(a, "%s/checkpoints/best.h5", folder);
}

TEST(trained_reads_what_the_trainer_wrote)
{
    arena a = {0};
    err e = {0};
    trained *t = trained_open(small_run(&a), &a, &e);
    const char *pattern = arena_printf(&a, "%s/data/train-*.h5", test_dir());
    dataset *d = dataset_open(&pattern, 1, example_find("mel"), &e);
    EXPECT_OK(t && d && trained_mel(t, &e), e);
    float mean[128], deviation[128];
    dataset_bands(d, mean, deviation);
    EXPECT_INT(t->classes, 3);
    EXPECT_INT(t->hear.n_labels, d->n_labels);
    for (int i = 0; i < 3; i++)
        EXPECT_STR(t->labels[i], d->labels[i]);
    EXPECT_INT(t->hear.n_bands, 128);
    EXPECT(!memcmp(t->hear.mean, mean, sizeof mean));
    EXPECT(!memcmp(t->hear.deviation, deviation, sizeof deviation));
    EXPECT_STR(t->hear.settings, d->settings);
    EXPECT_INT(t->hear.window, 24);
    EXPECT_INT(t->hear.views, 3);
    EXPECT_INT(t->hear.crop, LOADER_CENTER);
    EXPECT_INT(t->mel->n_mels, 128);
    // Evaluation stands on the same.
    const char *val = arena_printf(&a, "%s/data/val-*.h5", test_dir());
    shards *s = shards_open_for(t, &val, 1, 4, &a, &e);
    EXPECT_OK(s != NULL, e);
    EXPECT(s->val_options.mean == t->hear.mean && s->val_options.labels == t->hear.labels);
    EXPECT(s->window == 24 && s->val_options.views == 3 && s->val_options.crop == LOADER_CENTER);
    shards_close(s);
    dataset_close(d);
    trained_close(t);
    arena_free(&a);
}

// The checkpoint at `from` with one more word about its input.
static const char *damaged(const char *from, const char *key, const char *value, arena *a)
{
    err e = {0};
    trained *t = trained_open(from, a, &e);
    const char *path = arena_strdup(a, test_path("damaged.h5"));
    EXPECT_OK(t != NULL, e);
    meta_set(&t->file->meta, key, value);
    checkpoint_content c = {.model = t->model, .meta = &t->file->meta, .params = t->p};
    EXPECT_OK(checkpoint_save(path, &c, &e), e);
    trained_close(t);
    return path;
}

TEST(trained_damage_is_named_by_every_command)
{
    static const char *const cases[][2] = {{"labels", "[\"calm\", \"joy\"]"},
                                           {"deviation", "[0]"},
                                           {"settings", "none"},
                                           {"window", "wide"},
                                           {"eval_views", "-1"},
                                           {"eval_crop", "middle"}};
    static const char *const uses[] = {"predict @ none.wav", "eval @ --data 'data/val-*.h5'",
                                       "export @ --format onnx -o x.onnx",
                                       "export @ --format onnx --front-end -o x.onnx"};
    arena a = {0};
    err e = {0};
    const char *out, *from = small_run(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = damaged(from, cases[i][0], cases[i][1], &a);
        EXPECT_ERR(trained_open(path, &a, &e) != NULL, e, ERR_DAMAGED,
                   arena_printf(&a, "'%s'", cases[i][0]));
        if (i >= sizeof uses / sizeof *uses)
            continue;
        const char *use = uses[i];
        EXPECT_INT(test_shell(&out, "k=$(realpath %s) && cd '%s' && $k %.*s%s%s 2>&1", test_kmidi(),
                              test_dir(), (int)strcspn(use, "@"), use, path, strchr(use, '@') + 1),
                   1);
        EXPECT_HAS(out, e.text);
    }
    arena_free(&a);
}
