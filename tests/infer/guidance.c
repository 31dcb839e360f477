// SPDX-License-Identifier: GPL-3.0-or-later
// guidance.c: what is guided lies beyond the emotion as seen from none, beside generators of each,
// among what is plausible; at 1 there is nothing but the emotion.
#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "infer/generate.h"
#include "tests/infer/loud.h"
#include "tests/test.h"

static int likeliest(const float *logits, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

// Two lanes at once, of both models, and where the cache is full, too.
TEST(generate_guided_goes_through_the_emotion_and_on)
{
    enum { CONTEXT = 24, N = 60 };
    static const float none[128];
    arena a = {0};
    err e = {0};
    float emotions[128];
    const model_def *models[] = {
        model_configure(model_find("emotion_midi_transformer"),
                        "layers=3 dim=48 heads=3 ffn=80 cross=0,2 emotion_tokens=5", &a, &e),
        model_find("melody_transformer")};
    for (uint32_t i = 0; i < 128; i++)
        emotions[i] = i % 64 < 3 ? test_fill(1, i, 1) : 0;
    for (int k = 0; k < 2; k++) {
        params *p = loud_params(models[k], &a);
        generator_setup told = {.emotion = emotions, .context = CONTEXT, .lanes = 2}, untold = told,
                        guided = told, once = told;
        untold.emotion = none, guided.guidance = 2.5, once.guidance = 1;
        generator *c = generator_open(models[k], p, &told, &a, &e),
                  *u = generator_open(models[k], p, &untold, &a, &e),
                  *g = generator_open(models[k], p, &guided, &a, &e),
                  *same = generator_open(models[k], p, &once, &a, &e);
        double apart = 0;
        for (uint32_t t = 0; t < N; t++) {
            int tokens[] = {(int)(test_fill_u32(9, t) % 128), (int)(test_fill_u32(8, t) % 128)};
            int n = 2 * c->count;
            const float *x = c->next(c, tokens, &e), *y = u->next(u, tokens, &e),
                        *z = g->next(g, tokens, &e);
            float want[2 * 388], have[2 * 388];
            size_t plausible = 0;
            for (int i = 0; i < n; i++) {
                const float *lane = x + i / c->count * c->count;
                float above = x[i] - lane[likeliest(lane, c->count)] + logf(10);
                if (above < -1e-3F)
                    EXPECT_NEAR(z[i], x[i] - 1e4F, 1e-2);
                if (above < 1e-3F) // other batches round otherwise
                    continue;
                want[plausible] = y[i] + 2.5F * (x[i] - y[i]), have[plausible++] = z[i];
            }
            EXPECT(plausible > 2 && plausible < (size_t)n);
            EXPECT_BELOW(test_distance(have, want, plausible), 1e-4);
            EXPECT(!memcmp(same->next(same, tokens, &e), x, (size_t)n * sizeof *x));
            apart =
                larger(apart, fabs((double)z[likeliest(x, c->count)] - x[likeliest(x, c->count)]));
        }
        EXPECT(apart > 1e-2);
        generator_close(c), generator_close(u), generator_close(g), generator_close(same);
        params_release(p);
    }
    arena_free(&a);
}
