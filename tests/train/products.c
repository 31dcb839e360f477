// SPDX-License-Identifier: GPL-3.0-or-later
// products.c (tests): which library multiplies what is decided once, obeyed, and kept with a run;
// what was measured is measured anew when it is old, was taken on a busy machine, or was found
// wrong.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/gemm/gemm_ways.h"
#include "base/file.h"
#include "base/str.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"

TEST(products_kinds_have_names)
{
    char name[16];
    for (int i = 0; i < GEMM_KINDS; i++)
        EXPECT_INT(gemm_kind_find(gemm_kind_name(i, name)), i);
    EXPECT_INT(gemm_kind_find("xx000"), -1);
    EXPECT_STR(gemm_kind_name(gemm_kind(&(gemm){.tb = true, .m = 15, .n = 16, .k = 256}), name),
               "nt013");
    EXPECT_STR(gemm_kind_name(gemm_kind(&(gemm){.ta = true, .m = 64, .n = 1, .k = 255}), name),
               "tn202");
}

static float product_by(const gemm_ways *w, gemm *p, gemm_times *times)
{
    gemm_ways watched = *w;
    watched.watch = times;
    gemm_serial(&watched, p);
    return p->c[0];
}

// What is said when a run begins opens the same table when it goes on.
TEST(products_said_are_products_opened)
{
    static float a[64 * 300], b[64 * 300], c[64 * 64];
    err e = {0};
    arena scratch = {0};
    env v = {0};
    gemm_ways w;
    char told[80];
    unsetenv("KMIDI_GEMM"), unsetenv("KMIDI_BF16");
    EXPECT_OK(gemm_open_said(&v, "onednn nt123=openblas tn333=openblas", &w, &e), e);
    EXPECT_STR(gemm_said(&w, false, &scratch), "onednn nt123=openblas tn333=openblas");
    EXPECT_STR(gemm_told(&w, told), "onednn, and openblas for 2 of 256 kinds");
    EXPECT_INT(w.of[gemm_kind_find("nt123")], GEMM_OPENBLAS);
    EXPECT_OK(gemm_open_said(&v, "onednn bf16=widen nt123=openblas", &w, &e), e);
    EXPECT_STR(gemm_said(&w, true, &scratch), "onednn bf16=widen nt123=openblas");
    EXPECT_STR(gemm_said(&w, false, &scratch), "onednn nt123=openblas");
    EXPECT_ERR(gemm_open_said(&v, "onednn bf16=tpu", &w, &e), e, ERR_DAMAGED, "which no run says");
    EXPECT_OK(gemm_open_said(&v, "openblas", &w, &e), e);
    EXPECT_STR(gemm_said(&w, false, &scratch), "openblas");
    EXPECT(w.bf16 == gemm_bf16_before_amx());
    EXPECT_OK(gemm_open_said(&v, "openblas bf16=onednn", &w, &e), e);
    EXPECT(gemm_bf16_natively(w.bf16));
    EXPECT_ERR(gemm_open_said(&v, "mkl", &w, &e), e, ERR_DAMAGED, "'mkl', which no run says");
    EXPECT_ERR(gemm_open_said(&v, "openblas nt12", &w, &e), e, ERR_DAMAGED, "which no run says");
    EXPECT_ERR(gemm_open_said(&v, "openblas nt193=onednn", &w, &e), e, ERR_DAMAGED,
               "which no run says");
    for (int i = 0; i < 64 * 300; i++)
        a[i] = test_fill(1, (uint32_t)i, 1), b[i] = test_fill(2, (uint32_t)i, 1);
    gemm p = {.tb = true,
              .m = 64,
              .n = 64,
              .k = 300,
              .a = a,
              .b = b,
              .c = c,
              .lda = 300,
              .ldb = 300,
              .ldc = 64};
    gemm_times *times = NEW(&scratch, gemm_times, 1);
    w = gemm_ways_open(&(gemm_ways){.first = GEMM_ONEDNN});
    gemm_ways x = gemm_ways_open(&(gemm_ways){.first = GEMM_OPENBLAS});
    EXPECT_NEAR(product_by(&w, &p, times), product_by(&x, &p, times), 1e-4);
    EXPECT(times->ns[gemm_kind(&p)] > 0 && times->ns[0] == 0);
    setenv("KMIDI_GEMM", "onednn", 1);
    EXPECT_OK(gemm_open_said(&v, "openblas nt123=onednn", &w, &e), e);
    EXPECT_STR(gemm_said(&w, false, &scratch), "onednn"); // forced
    arena_free(&scratch);
}

// Gives every second kind in the cache's file to `first`, the others to the other library, whatever
// was measured.
static void rig(const char *cache, bool onednn_first, arena *a)
{
    err e = {0};
    size_t n = 0, bytes;
    char **paths = file_glob(a, arena_printf(a, "%s/kmidi/products-*.json", cache), &n, &e),
         name[16];
    EXPECT_INT(n, 1);
    char *text = n ? file_read(a, paths[0], 1 << 20, &bytes, &e) : NULL;
    json *file = text ? json_parse(text, bytes, &e) : json_object(), *kinds = json_object();
    EXPECT(json_len(json_get(file, "kinds")) > 0);
    for (int k = 0; k < GEMM_KINDS; k++) {
        json *kind = json_object();
        bool onednn = (k % 2 == 0) == onednn_first;
        json_set_num(kind, "openblas", onednn ? 2000 : 1000);
        json_set_num(kind, "onednn", onednn ? 1000 : 2000);
        json_set(kinds, gemm_kind_name(k, name), kind);
    }
    json_set(file, "kinds", kinds);
    strbuf out = {0};
    json_dump(file, 2, &out);
    if (n)
        EXPECT_OK(file_write(paths[0], out.s, out.len, &e), e);
    strbuf_free(&out);
    json_free(file);
}

// A run that goes on multiplies as it began, whatever was measured since.
TEST(products_of_a_run_stay)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir(), *k = test_kmidi();
    arena a = {0};
    const char *set = arena_printf(&a, "KMIDI_GEMM= XDG_CACHE_HOME=%s/cache %s", dir, k);
    const char *cache = arena_printf(&a, "%s/cache", dir);
    const char *keys = "schedule.name=constant memory.micro_batch=8 train.save_every_steps=1";
    EXPECT_INT(test_shell(NULL, "%s plan %s", set, yaml), 0);
    rig(cache, true, &a);
    EXPECT_INT(
        test_shell(&out, "%s train %s --run-dir %s/whole train.epochs=3 %s", set, yaml, dir, keys),
        0);
    const char *said = strstr(out, "products: ");
    said = arena_printf(&a, "%.*s", said ? (int)strcspn(said, "\n") : 0, said ? said : "");
    EXPECT_HAS(said, " for 128 of 256 kinds");
    EXPECT_INT(
        test_shell(NULL, "%s train %s --run-dir %s/parts train.epochs=2 %s", set, yaml, dir, keys),
        0);
    rig(cache, false, &a);
    EXPECT_INT(test_shell(&out, "%s train --resume %s/parts train.epochs=3", set, dir), 0);
    EXPECT_HAS(out, said);
    EXPECT_INT(test_shell(NULL,
                          "for d in whole parts; do sed 's/\"seconds.*//' %s/$d/metrics.jsonl | "
                          "tail -1 >%s/$d.txt; done; cmp %s/whole.txt %s/parts.txt",
                          dir, dir, dir, dir),
               0);
    for (int i = 0; i < 2; i++)
        EXPECT_INT(
            test_shell(NULL, "%s export %s/%s/checkpoints/last.h5 --format safetensors -o %s/%s.st",
                       set, dir, i ? "whole" : "parts", dir, i ? "whole" : "parts"),
            0);
    EXPECT_INT(test_shell(NULL, "cmp %s/whole.st %s/parts.st", dir, dir), 0);
    // forced, it is said
    EXPECT_INT(
        test_shell(
            &out,
            "KMIDI_GEMM=openblas XDG_CACHE_HOME=%s/cache %s train --resume %s/parts train.epochs=4",
            dir, k, dir),
        0);
    EXPECT_HAS(out, " for 128 of 256 kinds, and KMIDI_GEMM says openblas: numbers are the same");
    // and a limit that only one library fits in is no silent change
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/mixed train.epochs=1 train.threads=2 %s",
                          set, yaml, dir, keys),
               0);
    if (!SANITIZED) {
        EXPECT_INT(
            test_shell(
                &out, "ulimit -d 150000; %s train --resume %s/mixed train.epochs=2 train.threads=2",
                set, dir),
            1);
        EXPECT_HAS(
            out,
            "to go on by the other library, with the same numbers to rounding, set KMIDI_GEMM");
    }
    arena_free(&a);
}

static double predicted(const char *set, const char *yaml, const char *more)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s plan %s --json -q train.threads=1 %s", set, yaml, more), 0);
    const char *at = strstr(out, "\"step_seconds\": ");
    return at ? strtod(at + strlen("\"step_seconds\": "), NULL) : 0;
}

static void edit(const char *cache, const char *sed)
{
    EXPECT_INT(test_shell(NULL, "sed -i '%s' %s/kmidi/machine-*.json", sed, cache), 0);
}

// update_s is what a plan says of the optimiser: 50 s, once it is in the file, are believed until
// there is a reason not to.
TEST(products_costs_are_measured_anew_when_they_do_not_stand)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir(), *k = test_kmidi();
    arena a = {0};
    const char *cache = arena_printf(&a, "%s/cache", dir);
    const char *set = arena_printf(&a, "KMIDI_GEMM= XDG_CACHE_HOME=%s %s", cache, k);
    static const char wrong[] = "s/\"update_s\": .*/\"update_s\": 50.0/";
    EXPECT(predicted(set, yaml, "") < 40);
    edit(cache, "s/\"load\": [^,]*/\"load\": 0.1/"), edit(cache, wrong);
    EXPECT(predicted(set, yaml, "") > 40);
    EXPECT(predicted(set, yaml, "--measure") < 40);
    static const char *const reasons[] = {"s/\"load\": [^,]*/\"load\": 1e6/",
                                          "s/\"measured_at\": [^,]*/\"measured_at\": 1700000000/",
                                          "s/\"measured_at\": [^,]*/\"measured_at\": 9999999999/",
                                          "s/\"load\": [^,]*/\"load\": null/"};
    for (int i = 0; i < 4; i++) {
        edit(cache, wrong), edit(cache, reasons[i]);
        test_expect(predicted(set, yaml, "") < 40, __FILE__, __LINE__, "%s is believed",
                    reasons[i]);
    }
    edit(cache, "s/\"load\": [^,]*/\"load\": 0.1/"), edit(cache, wrong);
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/run train.threads=1 train.epochs=3", set,
                          yaml, dir),
               0);
    EXPECT_HAS(out, "s was predicted: the next plan measures anew");
    EXPECT(predicted(set, yaml, "") < 40);
    // without a home, with one that cannot be written, with damaged files, two at once
    EXPECT_INT(test_shell(NULL, "env -u HOME -u XDG_CACHE_HOME KMIDI_GEMM= %s plan %s", k, yaml),
               0);
    EXPECT_INT(test_shell(NULL, "HOME=/proc/none XDG_CACHE_HOME= KMIDI_GEMM= %s plan %s", k, yaml),
               0);
    EXPECT_INT(
        test_shell(
            NULL,
            "for f in %s/kmidi/*; do head -c 100 $f >x.$$; cat x.$$ >$f; rm x.$$; done; %s plan %s",
            cache, set, yaml),
        0);
    EXPECT_INT(test_shell(NULL,
                          "for f in %s/kmidi/*; do echo '{\"kinds\": {\"nt222\": {\"openblas\": "
                          "-1, \"onednn\": \"x\"}, \"no\": 3}}' >$f; "
                          "done; %s plan %s",
                          cache, set, yaml),
               0);
    EXPECT_INT(test_shell(NULL, "rm -r %s; %s plan %s & p=$!; %s plan %s --measure && wait $p",
                          cache, set, yaml, set, yaml),
               0);
    arena_free(&a);
}
