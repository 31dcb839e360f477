// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c: fuzz target for adapter_config.json (`make fuzz`): what is taken can be matched
// against a model, and what is written of that is taken again and finds the same.
#include <math.h>
#include <string.h>

#include "lora/lora.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// A scale is written as the alpha that makes it.
static bool is_near(float x, float y)
{
    return fabsf(x - y) <= 1e-6f * fabsf(y);
}

static void check(const lora_config *c, const model_def *m, arena *a)
{
    err e = {0};
    strbuf text = {0};
    lora_config again;
    const adapters *l = lora_match(c, m, false, a, &e);
    if (l) {
        CHECK(lora_config_write(c, m, NULL, &text, &e));
        CHECK(lora_config_read("written", text.s, text.len, a, &again, &e));
        const adapters *k = lora_match(&again, m, false, a, &e);
        CHECK(k && k->n == l->n && k->n_whole == l->n_whole);
        for (int i = 0; i < l->n; i++)
            CHECK(!strcmp(k->site[i].weight, l->site[i].weight) &&
                  k->site[i].rank == l->site[i].rank && !k->site[i].m == !l->site[i].m &&
                  is_near(k->site[i].scale, l->site[i].scale));
    } else
        CHECK(e.text[0]);
    strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    lora_config c;
    if (lora_config_read("fuzz", (const char *)bytes, n, &a, &c, &e)) {
        check(&c, model_find("melody_transformer"), &a);
        check(&c, model_find("groove_predictor"), &a);
    } else
        CHECK(e.text[0]);
    arena_free(&a);
    return 0;
}
