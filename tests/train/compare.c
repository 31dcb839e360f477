// SPDX-License-Identifier: GPL-3.0-or-later
// compare.c (tests): several runs on one page: who is best, mean and spread over seeds, states and
// damage said, small for a hundred runs, nothing from elsewhere.
#include "train/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"

static void put(const char *run, const char *name, const char *text)
{
    arena a = {0};
    err e = {0};
    const char *dir = arena_printf(&a, "%s/%s", test_dir(), run);
    EXPECT_OK(file_make_dirs(dir, &e), e);
    FILE *f = fopen(arena_printf(&a, "%s/%s", dir, name), "w"); // not synced: there are many
    EXPECT(f && fputs(text, f) >= 0 && fclose(f) == 0);
    arena_free(&a);
}

// `best` at the second of three evaluations, `last` at the third.
static void make_run(const char *name, const char *lr, int seed, double best, double last)
{
    strbuf s = {0};
    strbuf_printf(&s,
                  "model: emotion_recognizer\noptim:\n  lr: %s\ntrain:\n  seed: %d\n  "
                  "early_stopping:\n    monitor: accuracy\n",
                  lr, seed);
    put(name, "config.yaml", s.s);
    s.len = 0;
    for (int i = 1; i <= 3; i++)
        strbuf_printf(
            &s,
            "{\"kind\": \"train\", \"step\": %d, \"epoch\": %d, \"loss\": %g, "
            "\"seconds\": %d}\n{\"kind\": \"eval\", \"step\": %d, \"epoch\": %d, "
            "\"loss\": %g, \"accuracy\": %.9g%s, \"best_value\": %.9g, \"best_step\": %d, "
            "\"confusion\": [[4, %d], [1, 3]]}\n",
            10 * i, i, 2.0 / i, i, 10 * i, i, 1.0 / i,
            i == 1   ? best / 2
            : i == 2 ? best
                     : last,
            i < 3 ? ", \"best\": true" : "", i == 1 ? best / 2 : best, i == 1 ? 10 : 20, seed);
    put(name, "metrics.jsonl", s.s);
    put(name, "environment.json", "{\"steps\": 30}\n");
    put(name, "DONE", "all steps\n");
    strbuf_free(&s);
}

static const char *make_page(const char *const *paths, size_t n, compare *c, arena *a)
{
    err e = {0};
    strbuf html = {0};
    runs *r = NEW(a, runs, 1);
    EXPECT_OK(runs_open_list(r, paths, n, a, &e), e);
    EXPECT_OK(compare_read(c, r, a, &e), e);
    compare_page(c, "runs/<rates>", a, &html);
    return strbuf_keep(&html, a);
}

TEST(compare_measures_settings_over_their_seeds)
{
    arena a = {0};
    compare c;
    const char *dir = test_dir();
    make_run("r1", "0.1", 1, 0.80, 0.75);
    make_run("r2", "0.1", 2, 0.90, 0.70);
    make_run("r3", "0.1", 3, 0.85, 0.80);
    make_run("r4", "0.01", 1, 0.95, 0.60);
    make_run("r5", "0.01", 2, 0.65, 0.65);
    const char *html = make_page(&dir, 1, &c, &a);
    EXPECT_INT(c.n, 5);
    EXPECT_STR(c.list[0].info->name, "r4");
    EXPECT_STR(c.list[4].info->name, "r5");
    EXPECT_NEAR(c.list[0].best, 0.95, 1e-12);
    EXPECT_NEAR(c.list[0].last, 0.60, 1e-12);
    EXPECT(c.higher && c.seeds && c.figure == REPORT_ACCURACY);
    EXPECT_INT(c.n_settings, 2);
    const compare_setting *s = c.settings; // 0.85 on the average, before 0.8
    EXPECT_STR(compare_setting_name(&c, s, &a), "lr 0.1");
    EXPECT_INT(s->best.n, 3);
    EXPECT_NEAR(s->best.mean, 0.85, 1e-12);
    EXPECT_NEAR(s->best.deviation, 0.05, 1e-12);
    EXPECT_NEAR(s->last.mean, 0.75, 1e-12);
    EXPECT_NEAR(s[1].best.deviation, 0.3 / sqrt(2), 1e-12); // n - 1
    EXPECT_HAS(html, "<b>95.0%</b><span>best accuracy, of r4 at epoch 2; lr 0.01");
    EXPECT_HAS(html, "<b>85.0% &#177; 5.0</b><span>mean of 3 seeds, of the best setting: lr 0.1");
    EXPECT_HAS(html, "<td data-v=\"3\">3 of 3</td><td data-v=\"0.85\">85.0% &#177; 5.0</td>");
    EXPECT_HAS(html, "<title>lr 0.1, mean of 3</title>");
    EXPECT_HAS(html, "<h1>runs/&lt;rates&gt;</h1>");
    EXPECT_HAS(html, "<figcaption>r4, 95.0% at epoch 2</figcaption>");
    EXPECT_HAS(html, "<figcaption>r2, 90.0% at epoch 2</figcaption>"); // the best of its setting
    EXPECT(!strstr(html, "<figcaption>r3"));
    EXPECT(!strstr(html, "src=") && !strstr(html, "href=") && !strstr(html, "@import"));
    EXPECT(strstr(html, "<script>") > strstr(html, "r5</td>")); // all is there without it
    arena_free(&a);
}

TEST(compare_says_states_and_damage)
{
    arena a = {0};
    err e = {0};
    compare c;
    const char *dir = test_dir(), *out, *k = test_kmidi();
    make_run("good", "0.1", 1, 0.80, 0.75);
    make_run("also", "0.1", 2, 0.70, 0.65);
    make_run("hurt", "0.1", 3, 0.99, 0.99);
    make_run("bad", "0.2", 1, 0.90, 0.90);
    put("hurt", "metrics.jsonl", "{\"kind\": \"train\", \"step\": 1}\n{]\n");
    EXPECT_INT(test_shell(NULL, "mv %s/bad/DONE %s/bad/FAILED", dir, dir), 0);
    put("bad", "FAILED", "the loss is not <finite>\n");
    put("never", "FAILED", "no such data\n");
    put("never", ".lock", "{\"pid\": 1}\n");
    put("nor", "FAILED", "no such data\n");
    put("nor", ".lock", "{\"pid\": 1}\n");
    const char *html = make_page(&dir, 1, &c, &a);
    EXPECT_INT(c.n, 6);
    EXPECT_STR(c.list[0].info->name, "bad"); // what it reached before it failed
    EXPECT_HAS(html, "<td class=\"l why\">the loss is not &lt;finite&gt;</td>");
    EXPECT_HAS(html, "<td class=\"l names\">never, nor</td><td class=\"l\"><span class=\"state "
                     "failed\">failed</span></td><td class=\"l why\">no such data</td>");
    EXPECT_HAS(html, "<span class=\"state failed\">3 failed</span>");
    EXPECT_HAS(html, "<span class=\"state failed\">1 damaged</span>");
    EXPECT_HAS(html, "hurt/metrics.jsonl:2: ");
    for (size_t i = 0; i < c.n_settings; i++) // means are of what is done, and can be read
        if (strstr(compare_setting_name(&c, &c.settings[i], &a), "0.1")) {
            EXPECT_INT(c.settings[i].best.n, 2);
            EXPECT_NEAR(c.settings[i].best.mean, 0.75, 1e-12);
        } else {
            EXPECT_INT(c.settings[i].best.n, 0);
        }
    // the program: a sentence, and the page of the others
    EXPECT_INT(test_shell(&out, "k=$(realpath %s) && cd %s && $k report good hurt bad", k, dir), 0);
    EXPECT_HAS(out, "kmidi report: hurt/metrics.jsonl:2: ");
    EXPECT_HAS(out, "the other runs are compared without it");
    EXPECT_HAS(out, "\nreport.html\n");
    EXPECT_INT(test_shell(&out, "k=$(realpath %s) && cd %s && $k report hurt", k, dir), 1);
    EXPECT_INT(
        test_shell(
            &out,
            "k=$(realpath %s) && cd %s && $k report good --json -o one.html && grep -c Evaluations "
            "one.html; test ! -e good/report.html",
            k, dir),
        0);
    EXPECT_HAS(out, "{\"report\": \"one.html\", \"runs\": 1}");
    EXPECT_INT(test_shell(&out, "%s report %s/ --json && test -s %s/report.html", k, dir, dir), 0);
    EXPECT_HAS(out, "\"runs\": 6}");
    // a run that is named twice is one
    EXPECT_INT(test_shell(&out, "%s report %s/good %s/also/ %s/good %s/good/ --json -o %s/x.html",
                          k, dir, dir, dir, dir, dir),
               0);
    EXPECT_HAS(out, "\"runs\": 2}");
    EXPECT_INT(test_shell(&out, "%s report %s/none", k, dir), 1);
    EXPECT_HAS(out, "is no run folder, and holds none");
    const char *hurt = arena_printf(&a, "%s/hurt", dir);
    runs r;
    EXPECT_OK(runs_open_list(&r, &hurt, 1, &a, &e), e);
    EXPECT_ERR(compare_read(&c, &r, &a, &e), e, ERR_EMPTY, "metrics.jsonl:2");
    arena_free(&a);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

// A hundred runs of two hundred evaluations: eight lines have a colour, the page is small.
TEST(compare_of_a_hundred_runs_stays_small)
{
    arena a = {0};
    compare c;
    strbuf s = {0};
    const char *dir = test_dir();
    for (int i = 0; i < 100; i++) {
        char name[16], lr[16];
        snprintf(name, sizeof name, "r%03d", i), snprintf(lr, sizeof lr, "%.4f", 1e-3 * (i + 1));
        make_run(name, lr, 1, 0.5 + 0.004 * i, 0.4);
        s.len = 0;
        for (int k = 1; k <= 200; k++)
            strbuf_printf(&s,
                          "{\"kind\": \"eval\", \"step\": %d, \"epoch\": %d, \"loss\": %g, "
                          "\"accuracy\": %g}\n",
                          k, k, 2.0 - 0.001 * k * i, 0.5 + 1e-5 * k * i);
        put(name, "metrics.jsonl", s.s);
    }
    const char *html = make_page(&dir, 1, &c, &a);
    EXPECT_BELOW(strlen(html), 400e3);
    EXPECT_STR(c.list[0].info->name, "r099");
    EXPECT(!c.seeds);
    EXPECT_INT(count(html, "class=\"grey\""), 2 * 92); // accuracy, validation loss
    EXPECT_INT(count(html, "<polyline class=\"s"), 2 * 8);
    EXPECT_INT(count(html, "<li>"), 9);
    EXPECT_HAS(html, "92 others");
    for (size_t i = 0; i < c.n; i++)
        EXPECT_INT(c.list[i].colour, i < 8 ? (int)i : -1);
    strbuf_free(&s);
    arena_free(&a);
}

// Of long values that differ only what is their own is shown.
TEST(compare_shortens_long_values)
{
    arena a = {0};
    compare c;
    const char *dir = test_dir();
    make_run("a", "[/data/shards/long-name-1/train-*.h5]", 1, 0.8, 0.8);
    make_run("b", "[/data/shards/long-name-12/train-*.h5]", 1, 0.7, 0.7);
    const char *html = make_page(&dir, 1, &c, &a);
    EXPECT_STR(compare_setting_name(&c, &c.settings[0], &a), "lr ...1...");
    EXPECT_HAS(html, "title=\"[/data/shards/long-name-12/train-*.h5]\">...12...</td>");
    arena_free(&a);
}

// Of one run and of none there is no spread; what is not finite does not count.
TEST(compare_spread_is_of_the_sample)
{
    compare_spread s = compare_spread_of((double[]){1, NAN, 2, 4}, 4);
    EXPECT_INT(s.n, 3);
    EXPECT_NEAR(s.mean, 7.0 / 3, 1e-12);
    EXPECT_NEAR(s.deviation, 1.527525231651947, 1e-12); // numpy.std(ddof=1)
    s = compare_spread_of((double[]){3}, 1);
    EXPECT(s.n == 1 && s.mean == 3 && isnan(s.deviation));
    s = compare_spread_of(NULL, 0);
    EXPECT(s.n == 0 && isnan(s.mean));
}
