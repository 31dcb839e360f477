// SPDX-License-Identifier: GPL-3.0-or-later
// report.c (tests): a report says what the record says: of the best evaluation, with its baseline,
// in bounded memory; texts cannot break out.
#include "train/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "train/report_chart.h"

static void put(const char *name, const char *text)
{
    err e = {0};
    EXPECT_OK(file_make_dirs(test_path("run"), &e), e);
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", test_path("run"), name);
    EXPECT_OK(file_write(path, text, strlen(text), &e), e);
}

static const char *page(arena *a, const char *name)
{
    err e = {0};
    size_t n;
    const char *text =
        file_read(a, arena_printf(a, "%s/%s", test_path("run"), name), 1 << 24, &n, &e);
    EXPECT_OK(text != NULL, e);
    return text ? text : "";
}

static const char lines[] = "{\"kind\": \"train\", \"step\": 10, \"epoch\": 1, \"loss\": 1.2, "
                            "\"lr\": 0.001, \"seconds\": 30.5, \"samples_per_s\": 2048.4}\n"
                            "{\"kind\": \"eval\", \"step\": 10, \"epoch\": 1, \"loss\": 1.1, "
                            "\"accuracy\": 0.5, \"macro_f1\": 0.4, \"items\": 8, \"best\": true, "
                            "\"baseline\": {\"loss\": 1.386, \"accuracy\": 0.25, \"macro_f1\": "
                            "0.1}, \"confusion\": [[1, 3], [1, 3]]}\n"
                            "{\"kind\": \"eval\", \"step\": 20, \"epoch\": 2, \"loss\": "
                            "0.51234567, \"accuracy\": 0.875, \"macro_f1\": 0.87, \"items\": 8, "
                            "\"best\": true, "
                            "\"confusion\": [[41, 2], [3, 47]]}\n"
                            "{\"kind\": \"train\", \"step\": 30, \"epoch\": 3, \"loss\": 0.4, "
                            "\"lr\": 0.0005, \"seconds\": 90.2, \"samples_per_s\": 2048.4}\n"
                            "{\"kind\": \"eval\", \"step\": 30, \"epoch\": 3, \"loss\": 0.9, "
                            "\"accuracy\": 0.75, \"macro_f1\": 0.74, \"items\": 8, \"confusion\": "
                            "[[61, "
                            "5], [6, 62]]}\n";

static void make_record(const char *metrics)
{
    put("metrics.jsonl", metrics);
    put("config.yaml", "model: emotion_recognizer\ndata: {train: a.h5, val: b.h5}\ntrain: "
                       "{label_smoothing: 0.1}\n");
    put("environment.json", "{\"train\": {\"dataset\": \"<script>x</script>\", \"items\": 12345, "
                            "\"synthetic\": false}, \"val\": {\"items\": 8}, "
                            "\"model\": {\"name\": \"emotion_recognizer\", \"parameters\": 403264, "
                            "\"trainable\": 403264}}\n");
}

static void check_best(const char *html)
{
    EXPECT_HAS(
        html,
        "<b>87.5%</b><span>best accuracy, at epoch 2; baseline, always the most common: 25.0%");
    EXPECT_HAS(html, "Confusion matrix of the best checkpoint");
    EXPECT_HAS(html,
               "Of the best evaluation, at epoch 2, step 20: no checkpoint holds these weights.");
    EXPECT_HAS(html, ">41</td>");
    EXPECT(!strstr(html, ">61</td>")); // the last one's
    EXPECT_HAS(html, "<tr "
                     "class=\"best\"><td>20</td><td>2</td><td>0.5123</td><td>87.5%</td><td>0.870</"
                     "td><td><span title=\"the "
                     "best\">&#9733;</span></td>");
    EXPECT_HAS(html, "<tr><td>30</td>");
}

TEST(report_is_of_the_best)
{
    arena a = {0};
    err e = {0};
    make_record(lines);
    EXPECT_OK(report_write(test_path("run"), NULL, NULL, &e), e);
    check_best(page(&a, "report.html"));
    // lines that do not say which is the best are judged by the monitor
    char *old = arena_strdup(&a, lines);
    for (char *p; (p = strstr(old, ", \"best\": true"));)
        memmove(p, p + 14, strlen(p + 14) + 1);
    put("metrics.jsonl", old);
    EXPECT_OK(report_write(test_path("run"), NULL, NULL, &e), e);
    check_best(page(&a, "report.html"));
    arena_free(&a);
}

// Found by the fuzz target: such a step was not what an integer holds.
TEST(report_of_lines_without_a_step_is_refused)
{
    err e = {0};
    static const char *const bad[] = {"1\n", "{\"kind\": \"eval\", \"loss\": 1}\n",
                                      "{\"step\": -1}\n", "{\"step\": 1e300}\n"};
    for (int i = 0; i < 4; i++) {
        make_record(bad[i]);
        EXPECT_ERR(report_write(test_path("run"), NULL, NULL, &e), e, ERR_FORMAT, "'step'");
        EXPECT_HAS(e.text, "metrics.jsonl:1");
    }
}

// A number on a coloured cell is of the colour that can be read there, by day and by night.
TEST(report_numbers_stand_out_from_their_cells)
{
    arena a = {0};
    err e = {0};
    make_record("{\"kind\": \"eval\", \"step\": 1, \"epoch\": 1, \"loss\": 1, \"accuracy\": 0.6, "
                "\"macro_f1\": 0.6, \"items\": 200, \"best\": true, "
                "\"confusion\": [[64, 36], [88, 12]]}\n");
    EXPECT_OK(report_write(test_path("run"), NULL, NULL, &e), e);
    const char *html = page(&a, "report.html");
    EXPECT_HAS(html, "<td class=\"right warm\" style=\"background:rgba(var(--heat),0.64)\">64<");
    EXPECT_HAS(html, "<td class=\"\" style=\"background:rgba(var(--heat),0.36)\">36<");
    EXPECT_HAS(html, "<td class=\" hot\" style=\"background:rgba(var(--heat),0.88)\">88<");
    EXPECT_HAS(html, "td.warm{color:var(--warm)}");
    arena_free(&a);
}

TEST(report_has_a_headline_and_explains)
{
    arena a = {0};
    err e = {0};
    make_record(lines);
    EXPECT_OK(report_write(test_path("run"), "failed", "the <loss> is not finite", &e), e);
    const char *html = page(&a, "report.html");
    EXPECT_HAS(html, "<b>12,345</b><span>items of &lt;script&gt;x&lt;/script&gt; to learn from, 8 "
                     "to evaluate on");
    EXPECT_HAS(html, "<b>403,264</b><span>parameters</span>");
    EXPECT_HAS(html, "<b>1 min 30 s</b><span>of training: 30 steps, 3 epochs, 2,048 items/s");
    EXPECT_HAS(html, "class=\"state failed\">failed");
    EXPECT_HAS(html, "the &lt;loss&gt; is not finite");
    EXPECT_HAS(html, "label smoothing 0.1 (train.label_smoothing)");
    EXPECT_HAS(html, "of 2 classes it cannot fall below 0.199"); // -0.95 ln 0.95 - 0.05 ln 0.05
    EXPECT_HAS(html, "@media(prefers-color-scheme:dark)");
    EXPECT_HAS(html, "width=device-width");
    EXPECT(!strstr(html, "<script") && !strstr(html, "src=") && !strstr(html, "href="));
    EXPECT(!strstr(html, "http-equiv=\"refresh\""));
    EXPECT_OK(report_write(test_path("run"), "running", NULL, &e), e);
    EXPECT_HAS(page(&a, "report.html"), "http-equiv=\"refresh\"");
    EXPECT_HAS(page(&a, "curve.svg"), "<svg xmlns=");
    arena_free(&a);
}

// The axis goes from tick to tick around what there is, not from zero.
TEST(report_charts_have_ticks_at_their_edges)
{
    arena a = {0};
    report_curve c = {.at = NEW(&a, report_row, 3), .n = 3};
    for (int i = 0; i < 3; i++)
        c.at[i] = (report_row){.v = {[REPORT_EPOCH] = 5 * i, [REPORT_LOSS] = 2.53 + 0.07 * i}};
    svg_series s = {"validation", 1, &c, REPORT_LOSS, true, false};
    svg_chart chart = {
        .title = "loss", .series = &s, .n = 1, .baseline = NAN, .best_x = 5, .best_y = 2.6};
    strbuf out = {0};
    svg_line_chart(&chart, &out);
    // the lower edge
    EXPECT_HAS(out.s, "y1=\"206.0\" y2=\"206.0\" class=\"g\"/><text x=\"41\" y=\"210.0\" "
                      "class=\"y\">2.52</text>");
    // the upper
    EXPECT_HAS(
        out.s,
        "y1=\"32.0\" y2=\"32.0\" class=\"g\"/><text x=\"41\" y=\"36.0\" class=\"y\">2.68</text>");
    EXPECT_HAS(out.s, "x=\"46.0\" y=\"220\" class=\"x\">0</text>");
    EXPECT_HAS(out.s, "x=\"388.0\" y=\"220\" class=\"y\">10</text>");
    EXPECT_HAS(out.s, "<title>the best</title>");
    EXPECT(!strstr(out.s, "baseline"));
    out.len = 0;
    chart.baseline = 2.7;
    svg_line_chart(&chart, &out);
    EXPECT_HAS(out.s, "baseline");
    for (int i = 0; i < 3; i++) // a line that stays, and small numbers
        c.at[i].v[REPORT_LOSS] = 3.2e-5;
    out.len = 0;
    svg_line_chart(&chart, &out);
    EXPECT_HAS(out.s, "class=\"y\">1.5e-5</text>");
    EXPECT_HAS(out.s, "class=\"y\">5e-5</text>");
    strbuf_free(&out);
    arena_free(&a);
}

// 100,000 lines become 512 points at most, whose mean is that of the lines; half a last line is not
// read.
TEST(report_of_a_long_run_is_bounded)
{
    enum { N = 100000 };
    arena a = {0}, b = {0};
    err e = {0};
    strbuf text = {0};
    report_record r;
    for (int i = 1; i <= N; i++)
        strbuf_printf(&text, "{\"kind\": \"train\", \"step\": %d, \"epoch\": %g, \"loss\": %g}\n",
                      i, i / 100.0, 1.0 + i % 7);
    strbuf_printf(&text, "{\"kind\": \"train\", \"step\": 12, \"los");
    make_record(text.s);
    EXPECT_OK(report_read(test_path("run"), &r, &a, &e), e);
    EXPECT(r.train.n > REPORT_POINTS / 2 && r.train.n <= REPORT_POINTS);
    double sum = 0, n = 0, want = 0;
    for (int i = 0; i < r.train.n; i++)
        sum += r.train.at[i].v[REPORT_LOSS] * r.train.count[i][REPORT_LOSS],
            n += r.train.count[i][REPORT_LOSS];
    for (int i = 1; i <= N; i++)
        want += 1.0 + i % 7;
    EXPECT_INT(n, N);
    EXPECT_NEAR(sum / n, want / N, 1e-9);
    EXPECT_INT(r.last_train.v[REPORT_STEP], N);
    put("metrics.jsonl", "{\"kind\": \"train\", \"step\": 1}\n{]\n");
    EXPECT_ERR(report_write(test_path("run"), NULL, NULL, &e), e, ERR_FORMAT, "metrics.jsonl:2");
    strbuf_free(&text);
    arena_free(&a), arena_free(&b);
}

// A run that gets worse: report, checkpoint and `inspect` speak of the best; the report is there
// while it goes on.
TEST(report_of_a_run_while_it_goes_on)
{
    arena a = {0};
    const char *out, *yaml = corpus_make(test_path("data")), *k = test_kmidi(),
                     *run = test_path("run");
    EXPECT_INT(
        test_shell(
            &out,
            "%s train %s --run-dir %s train.epochs=100000 -q >%s.log 2>&1 & p=$!; for i in $(seq "
            "200); do test -s %s/report.html && "
            "break; sleep 0.1; done; cp %s/report.html %s.early; kill -TERM $p; wait $p; echo $?",
            k, yaml, run, run, run, run, run),
        0);
    EXPECT_STR(out, "75\n");
    size_t n;
    err e = {0};
    const char *early = file_read(&a, arena_printf(&a, "%s.early", run), 1 << 24, &n, &e);
    EXPECT_HAS(early, "class=\"state running\">running");
    EXPECT_HAS(early, "best accuracy, at epoch 1; baseline, always the most common: 33.3%");
    EXPECT_HAS(early, "</html>");
    EXPECT_HAS(page(&a, "report.html"), "class=\"state stopped\">stopped");
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s --overwrite train.epochs=6 optim.lr=0.3 -q; "
                          "grep -c baseline %s/metrics.jsonl",
                          k, yaml, run, run),
               0);
    EXPECT_HAS(out, "\n1\n");
    EXPECT_INT(test_shell(&out, "%s inspect %s --json", k, run), 0);
    json *j = json_parse(out, strlen(out), &e);
    const json *best = json_get(j, "best");
    EXPECT_STR(json_str(json_get(j, "state"), ""), "done");
    EXPECT_NEAR(json_num(json_get(json_get(j, "baseline"), "accuracy"), 0), 1.0 / 3, 1e-4);
    EXPECT(json_int(json_get(json_get(j, "checkpoints"), "best.h5"), 0) > 100000);
    EXPECT_HAS(page(&a, "report.html"),
               arena_printf(&a, "at epoch %lld, step %lld: the weights in checkpoints/best.h5",
                            (long long)json_num(json_get(best, "epoch"), 0),
                            (long long)json_int(json_get(best, "step"), 0)));
    json_free(j);
    // what its record says of its mistakes is what its best checkpoint makes
    report_record r;
    EXPECT_OK(report_read(run, &r, &a, &e), e);
    EXPECT_INT(
        test_shell(&out, "%s eval %s --data '%s/val-*.h5' --json", k, run, test_path("data")), 0);
    j = json_parse(out, strlen(out), &e);
    const json *worst = json_get(j, "worst");
    EXPECT(r.n_worst > 0);
    EXPECT_INT(json_len(worst), r.n_worst);
    for (size_t i = 0; i < r.n_worst; i++) {
        const json *w = json_at(worst, i);
        EXPECT_STR(json_str(json_get(w, "path"), ""), r.worst[i].path);
        EXPECT_STR(json_str(json_get(w, "true"), ""), r.labels[r.worst[i].truth]);
        EXPECT_STR(json_str(json_get(w, "said"), ""), r.labels[r.worst[i].said]);
        EXPECT_NEAR(json_num(json_get(w, "p"), 0), r.worst[i].p, 1e-4);
    }
    EXPECT_HAS(page(&a, "report.html"), "What it got most wrong");
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s inspect %s", k, run), 0);
    EXPECT_HAS(out, "kind                 run\nstate                done\n");
    arena_free(&a);
}
