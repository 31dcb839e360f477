// SPDX-License-Identifier: GPL-3.0-or-later
// report_classes.c (tests): what an evaluation leaves in a run's record: matrices of many classes,
// and the items that were told most wrongly.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "tests/train/small.h"
#include "train/report.h"

// A run of 60 classes, whose items have odd names: all of its matrix, and its mistakes, are in its
// record and on its page.
TEST(report_has_matrices_of_many_classes)
{
    enum { CLASSES = 60, ROWS = 40 };
    static const char *const odd[] = {"a \"b\"\\c\t.wav", "d\xff<e>.wav", "\xc3\xa4.wav"};
    small_run s;
    trainer_result result;
    report_record r;
    arena a = {0};
    err e = {0};
    small_open(&s, "emotion_recognizer", 8, 1);
    s.dims.classes = s.setup.classes = CLASSES;
    s.dims.batch = s.o.batch_size = ROWS;
    const char **paths = NEW(&a, const char *, ROWS);
    for (int i = 0; i < ROWS; i++)
        paths[i] = odd[i % 3];
    s.set.list[0] = sample_batch(s.o.model, &s.dims, 1, 0, &a);
    s.val = (sample_set){.list = NEW(&a, batch *, 1), .n = 1};
    batch *b = s.val.list[0] = sample_batch(s.o.model, &s.dims, 2, 0, &a);
    b->paths = paths, b->n_paths = ROWS;
    s.setup.val = sample_source(&s.val), s.o.epochs = 3, s.o.eval_every = 1;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = folder_create(test_path("run"), FOLDER_NEW, NULL, &s.a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &result, &e), e);
    trainer_close(t), folder_close(f);
    EXPECT_OK(report_read(test_path("run"), &r, &a, &e), e);
    EXPECT_INT(r.classes, CLASSES);
    const int32_t *target = feed_find(b, "target")->data;
    long long sum = 0, truth[CLASSES] = {0};
    for (size_t i = 0; i < r.n_cells; i++)
        sum += r.cells[i].n, truth[r.cells[i].truth] += r.cells[i].n;
    for (int i = 0; i < ROWS; i++)
        truth[target[i]]--;
    EXPECT_INT(sum, ROWS);
    for (int i = 0; i < CLASSES; i++)
        EXPECT_INT(truth[i], 0);
    EXPECT_INT(r.n_worst, 3); // each file once
    bool seen[3] = {false};
    for (size_t i = 0; i < r.n_worst; i++)
        for (int k = 0; k < 3; k++)
            seen[k] = seen[k] || !strcmp(r.worst[i].path, str_utf8_escape(&a, odd[k]));
    EXPECT(seen[0] && seen[1] && seen[2]);
    EXPECT(r.worst[0].loss >= r.worst[1].loss && r.worst[0].truth != r.worst[0].said);
    EXPECT_NEAR(r.worst[0].p_truth, exp(-r.worst[0].loss), 1e-6);
    EXPECT(isfinite(r.last_train.v[REPORT_WEIGHT_NORM]) && r.last_train.v[REPORT_WEIGHT_NORM] > 0);
    EXPECT_OK(report_write(test_path("run"), NULL, NULL, &e), e);
    size_t n;
    const char *html = file_read(&a, test_path("run/report.html"), 1 << 24, &n, &e);
    EXPECT_OK(html != NULL, e);
    EXPECT_HAS(html, "<svg class=\"heat\"");
    EXPECT_HAS(html, "viewBox=\"0 0 60 60\"");
    EXPECT_HAS(html, "<td class=\"l path\">d\\xff&lt;e&gt;.wav</td>");
    EXPECT_HAS(html, "parameter norm");
    EXPECT_HAS(html, "gradient norm");
    small_close(&s);
    arena_free(&a);
}
