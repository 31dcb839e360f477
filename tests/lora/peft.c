// SPDX-License-Identifier: GPL-3.0-or-later
// peft.c (tests): some hundred adapters by Hugging Face PEFT in all its variants
// (tests/peers/peft_matrix.py): merged here they give the weights that PEFT merges, and what PEFT
// does not load is not loaded here.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "lora/adapter.h"
#include "tests/test.h"

// The sizes that the script has.
static const struct {
    const char *model, *sizes;
} small[] = {
    {"emotion_midi_transformer", "layers=4 dim=32 heads=2 ffn=48 cross=0,2 emotion_tokens=2"},
    {"instrument_recognizer", "width=4"},
    {"emotion_node_classifier", "width=4"},
};

static const model_def *model_of(const char *name, arena *a)
{
    err e = {0};
    const model_def *m = model_find(name);
    for (size_t i = 0; m && i < sizeof small / sizeof *small; i++)
        if (!strcmp(name, small[i].model))
            m = model_configure(m, small[i].sizes, a, &e);
    test_expect(m != NULL, __FILE__, __LINE__, "%s", e.text);
    return m;
}

static params *weights_of(const model_def *m, const char *path, arena *a)
{
    err e = {0};
    params *p = params_open(a);
    bool ok = model_build(m, p, &(model_dims){.batch = 1, .time = 1}, a, &e) &&
              params_allocate(p, 0, &e) && safetensors_load_params(path, p, NULL, &e);
    test_expect(ok, __FILE__, __LINE__, "%s", e.text);
    return p;
}

static void check(const char *number, const char *model, const char *verdict)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_of(model, &a);
    const char *folder = test_path(number);
    params *p = weights_of(m, test_path(arena_printf(&a, "%s.safetensors", model)), &a);
    bool ok = lora_apply(p, m, NULL, &(lora_use){folder, 1}, 1, &e);
    test_expect(ok == !strcmp(verdict, "ok"), __FILE__, __LINE__, "%s, %s: PEFT: %s, kmidi: %s",
                folder, model, verdict, e.text);
    if (ok && !strcmp(verdict, "ok")) {
        params *want = weights_of(m, test_path(arena_printf(&a, "%s.safetensors", number)), &a);
        double off = test_distance(p->weights, want->weights, (size_t)p->weights_len);
        test_expect(off < 1e-6, __FILE__, __LINE__, "%s, %s: %.2g off", folder, model, off);
        params_release(want);
    }
    params_release(p);
    arena_free(&a);
}

TEST(adapters_of_peft_in_all_variants_are_merged_as_peft_does_or_refused)
{
    const char *out;
    char number[8], model[64], verdict[16];
    int seen = 0;
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/peft_matrix.py '%s'", test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    FILE *f = fopen(test_path("list"), "r");
    while (f && fscanf(f, "%7s %63s %15s", number, model, verdict) == 3)
        if (strcmp(verdict, "none"))
            check(number, model, verdict), seen++;
    EXPECT(seen > 80);
    if (f)
        fclose(f);
}
