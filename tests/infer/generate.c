// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: a step of the melody model is the model; the loop is the sampler's and stops where it
// is told.
#include "infer/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_int8.h"
#include "autograd/run.h"
#include "base/larger.h"
#include "tests/environment.h"
#include "tests/infer/loud.h"
#include "tests/test.h"

enum { T = 40 };

static void feeling(float out[64])
{
    for (uint32_t i = 0; i < 64; i++)
        out[i] = i < 3 ? test_fill(1, i, 1) : 0;
}

// The whole sequence at once, and note by note.
TEST(generate_melody_steps_equal_the_sequence)
{
    arena a = {0};
    err e = {0};
    float emotion[64];
    params *p = loud_params(model_find("melody_transformer"), &a);
    network *n = model_build(model_find("melody_transformer"), p,
                             &(model_dims){.batch = 1, .time = T}, &a, &e);
    plan *pl = plan_make(
        n->g, &(plan_options){.threads = 1, .outputs = &n->out, .n_outputs = 1, .params = p}, &a,
        &e);
    run *r = run_open(pl, p, NULL, &a, &e);
    int32_t *notes = run_input(r, "prev_note");
    feeling(emotion);
    memcpy(run_input(r, "emotion"), emotion, sizeof emotion);
    for (uint32_t t = 0; t < T; t++)
        notes[t] = t == 0 ? -1 : (int32_t)(test_fill_u32(9, t) % 128);
    run_step(r, 0, 0, false);
    generator *g = generator_open(model_find("melody_transformer"), p,
                                  &(generator_setup){.emotion = emotion}, &a, &e);
    EXPECT_OK(g != NULL, e);
    for (int t = 0; g && t < T; t++) {
        const float *logits = g->next(g, &notes[t], &e);
        EXPECT_BELOW(test_distance(logits, (const float *)run_data(r, n->out) + t * 128, 128),
                     1e-5);
    }
    generator_close(g);
    run_close(r);
    params_release(p);
    arena_free(&a);
}

// ---- The transformer

static const char small_sizes[] = "layers=3 dim=48 heads=3 ffn=80 cross=0,2 emotion_tokens=5";

// Logits [n, 388] of tokens[n] at once.
static float *whole(const model_def *m, params *p, const float emotion[64], const int *tokens,
                    int n, arena *a)
{
    err e = {0};
    float *out = NEW(a, float, (size_t)n * 388);
    network *net = model_build(m, p, &(model_dims){.batch = 1, .time = n}, a, &e);
    plan *pl = plan_make(
        net->g, &(plan_options){.threads = 1, .outputs = &net->out, .n_outputs = 1, .params = p}, a,
        &e);
    run *r = run_open(pl, p, NULL, a, &e);
    int32_t *to = run_input(r, "tokens");
    memcpy(run_input(r, "emotion"), emotion, 64 * sizeof(float));
    for (int t = 0; t < n; t++)
        to[t] = tokens[t];
    run_step(r, 0, 0, false);
    memcpy(out, run_data(r, net->out), (size_t)n * 388 * sizeof *out);
    run_close(r);
    return out;
}

// Steps on 1, 2 and 3 threads give the same bits; rounded weights change the logits, by no more
// than `most` of the largest.
static void check_precision(const model_def *m, params *p, const generator_setup *how,
                            precision rounded, double most)
{
    enum { N = 50 };
    arena a = {0};
    err e = {0};
    float *wide = NEW(&a, float, N * 388), *narrow = NEW(&a, float, N * 388);
    for (int count = 0; count <= 3; count++) { // 0: fp32
        generator_setup o = *how;
        o.precision = count ? rounded : PRECISION_FP32,
        o.pool = threads_open(count ? count : 1, &e);
        generator *g = generator_open(m, p, &o, &a, &e);
        EXPECT_OK(g != NULL, e);
        for (int t = 0; g && t < N; t++) {
            const float *logits =
                g->next(g, &(int){(int)(test_fill_u32(9, (uint32_t)t) % 128)}, &e);
            float *kept = (count ? narrow : wide) + t * g->count;
            if (count > 1)
                EXPECT(memcmp(kept, logits, (size_t)g->count * sizeof *kept) == 0);
            memcpy(kept, logits, (size_t)g->count * sizeof *kept);
            if (count == 1)
                EXPECT_BELOW(test_distance(kept, wide + t * g->count, g->count), most);
        }
        generator_close(g);
        threads_close(o.pool);
    }
    EXPECT(test_distance(narrow, wide, N * 100) > 1e-4); // it is rounded
    arena_free(&a);
}

// Logits of N tokens of each lane, [N, lanes, count], of lanes first .. first + lanes.
static const float *in_lanes(const model_def *m, params *p, generator_setup how, int first,
                             int lanes, arena *a)
{
    enum { N = 40 };
    err e = {0};
    float *emotion = NEW(a, float, (size_t)lanes * 64);
    int *tokens = NEW(a, int, (size_t)lanes);
    for (int k = 0; k < lanes; k++)
        for (uint32_t i = 0; i < 3; i++)
            emotion[k * 64 + (int)i] = test_fill((uint64_t)(first + k), i, 1);
    how.emotion = emotion, how.lanes = lanes;
    generator *g = generator_open(m, p, &how, a, &e);
    EXPECT_OK(g != NULL, e);
    size_t each = g ? (size_t)(lanes * g->count) : 0;
    float *out = NEW(a, float, N *each + 1);
    for (uint32_t t = 0; g && t < N; t++) {
        for (int k = 0; k < lanes; k++)
            tokens[k] = (int)(test_fill_u32((uint64_t)(9 + first + k), t) % 128);
        memcpy(out + t * each, g->next(g, tokens, &e), each * sizeof *out);
    }
    generator_close(g);
    return out;
}

static bool same_bits(const float *a, const float *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

// A lane among others has the bits that it has alone, and lanes differ.
static void check_lanes(const model_def *m, params *p, precision rounded)
{
    enum { N = 40, MOST = 9 };
    arena a = {0};
    err e = {0};
    int64_t count = m->output.dim[m->output.rank - 1];
    generator_setup how = {.context = 30, .precision = rounded, .pool = threads_open(2, &e)};
    const float *alone[MOST];
    for (int k = 0; k < MOST; k++)
        alone[k] = in_lanes(m, p, how, k, 1, &a);
    EXPECT(test_distance(alone[0], alone[1], N * count) > 1e-3);
    for (int lanes = 2; lanes < MOST; lanes++) {
        int first = lanes == 7 ? 2 : 0, wrong = 0;
        const float *some = in_lanes(m, p, how, first, lanes, &a);
        for (int64_t t = 0; t < N; t++)
            for (int k = 0; k < lanes; k++)
                wrong +=
                    !same_bits(some + (t * lanes + k) * count, alone[first + k] + t * count, count);
        test_expect(wrong == 0, __FILE__, __LINE__, "%s in %s, %d lanes: %d steps differ", m->name,
                    precision_name(rounded), lanes, wrong);
    }
    threads_close(how.pool);
    arena_free(&a);
}

// By each instruction that multiplies bytes here, whose bits are the same.
static void check_int8_lanes(const model_def *m, params *p)
{
    enum { N = 40 };
    arena a = {0};
    const float *first = NULL;
    for (gemm_int8_way way = GEMM_INT8_PAIRS; way <= GEMM_INT8_AMX; way++) {
        if (!gemm_int8_here(way))
            continue;
        setenv("KMIDI_INT8", gemm_int8_name(way), 1);
        check_lanes(m, p, PRECISION_INT8);
        const float *out =
            in_lanes(m, p, (generator_setup){.context = 30, .precision = PRECISION_INT8}, 0, 1, &a);
        if (first)
            EXPECT(same_bits(out, first, N * m->output.dim[m->output.rank - 1]));
        first = out;
    }
    environment_restore();
    arena_free(&a);
}

// Sizes that are no whole number of registers, too.
TEST(generate_with_others_beside)
{
    static const char *const sizes[] = {
        "layers=2 dim=192 heads=3 ffn=400 cross=0",
        "layers=2 dim=28 heads=2 ffn=37 cross=1 emotion_tokens=3 qk_norm=1"};
    for (int k = 0; k < 3; k++) {
        arena a = {0};
        err e = {0};
        const model_def *m =
            k < 2 ? model_configure(model_find("emotion_midi_transformer"), sizes[k], &a, &e)
                  : model_find("melody_transformer");
        EXPECT_OK(m != NULL, e);
        params *p = loud_params(m, &a);
        check_lanes(m, p, PRECISION_FP32);
        check_lanes(m, p, PRECISION_BF16);
        check_int8_lanes(m, p);
        params_release(p);
        arena_free(&a);
    }
}

TEST(generate_with_rounded_weights)
{
    arena a = {0}, b = {0};
    err e = {0};
    float emotion[64];
    const model_def *m = model_configure(model_find("emotion_midi_transformer"),
                                         "layers=2 dim=192 heads=3 ffn=400 cross=0", &a, &e);
    params *p = params_open(&a), *q = loud_params(model_find("melody_transformer"), &b);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 3);
    feeling(emotion);
    for (precision r = PRECISION_BF16; r <= PRECISION_INT8; r++) {
        generator_setup how = {.emotion = emotion, .context = 30};
        check_precision(m, p, &how, r, 2e-2);
        check_precision(model_find("melody_transformer"), q, &how, r, 2e-2);
    }
    params_release(p), params_release(q);
    arena_free(&a), arena_free(&b);
}

static int likeliest(const float *logits)
{
    int best = 0;
    for (int i = 1; i < 388; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

TEST(generate_transformer_steps_equal_the_sequence)
{
    enum { N = 90 };
    arena a = {0};
    err e = {0};
    float emotion[64];
    int tokens[N];
    const model_def *m =
        model_configure(model_find("emotion_midi_transformer"), small_sizes, &a, &e);
    params *p = loud_params(m, &a);
    threads *pool = threads_open(2, &e);
    feeling(emotion);
    for (uint32_t t = 0; t < N; t++)
        tokens[t] = (int)(test_fill_u32(9, t) % 388);
    const float *want = whole(m, p, emotion, tokens, N, &a);
    generator *g = generator_open(
        m, p, &(generator_setup){.emotion = emotion, .context = N, .pool = pool}, &a, &e);
    EXPECT_OK(g != NULL, e);
    for (int t = 0; g && t < N; t++)
        EXPECT_BELOW(test_distance(g->next(g, &tokens[t], &e), want + t * 388, 388), 1e-4);
    EXPECT(test_distance(want, want + (N - 1) * 388, 388) > 0.1);
    EXPECT(g->next(g, &(int){388}, &e) == NULL);
    EXPECT_HAS(e.text, "388 is no event");
    generator_close(g);
    threads_close(pool);
    params_release(p);
    arena_free(&a);
}

// Always the likeliest: step by step, and by the whole sequence anew for each token.
TEST(generate_transformer_continues_greedily)
{
    enum { N = 72 };
    arena a = {0};
    err e = {0};
    float emotion[64];
    int prompt[] = {370, 60, 290, 64}, tokens[4 + N];
    const model_def *m =
        model_configure(model_find("emotion_midi_transformer"), small_sizes, &a, &e);
    params *p = loud_params(m, &a);
    feeling(emotion);
    sampler_options o = {.temperature = 0, .top_p = 1, .penalty = 1};
    generator *g =
        generator_open(m, p, &(generator_setup){.emotion = emotion, .context = 128}, &a, &e);
    generate_job job = {.prompt = prompt, .n_prompt = 4, .tokens = tokens, .n = N};
    job.by = sampler_open(&o, g->count, &a);
    EXPECT_OK(generate(g, &job, 1, &(env){0}, &e), e);
    for (int n = 4; n < 4 + N; n++) {
        arena once = {0};
        EXPECT_INT(likeliest(whole(m, p, emotion, tokens, n, &once) + (n - 1) * 388), tokens[n]);
        arena_free(&once);
    }
    generator_close(g);
    params_release(p);
    arena_free(&a);
}

// Behind its context the oldest token gives way. A single layer hears nothing else of it, so that
// its answer is that to the last tokens by themselves; that of several is another.
TEST(generate_transformer_goes_on_behind_its_context)
{
    enum { CONTEXT = 24, N = 100 };
    arena a = {0};
    err e = {0};
    float emotion[64];
    int tokens[N];
    for (int layers = 1; layers <= 3; layers += 2) {
        const char *sizes =
            arena_printf(&a, "layers=%d dim=48 heads=3 ffn=80 cross=0 emotion_tokens=5", layers);
        const model_def *m = model_configure(model_find("emotion_midi_transformer"), sizes, &a, &e);
        params *p = loud_params(m, &a);
        feeling(emotion);
        generator *g = generator_open(
            m, p, &(generator_setup){.emotion = emotion, .context = CONTEXT}, &a, &e);
        const float *blank = g->next(g, &(int){-1}, &e);
        double off = 0;
        EXPECT(blank[0] == 0 && blank[387] == 0);
        for (int t = 0; t < N; t++) {
            tokens[t] = (int)(test_fill_u32(5, (uint32_t)t) % 388);
            const float *logits = g->next(g, &tokens[t], &e);
            int n = t < CONTEXT ? t + 1 : CONTEXT;
            const float *want = whole(m, p, emotion, tokens + t + 1 - n, n, &a);
            off = larger(off, test_distance(logits, want + (n - 1) * 388, 388));
            if (t + 1 == CONTEXT)
                EXPECT_BELOW(off, 1e-4);
        }
        EXPECT(layers == 1 ? off < 1e-4 : off > 1e-3);
        generator_close(g);
        params_release(p);
    }
    arena_free(&a);
}

static bool three(void *user, const int *tokens, int n)
{
    (void)user, (void)tokens;
    return n == 5 + 3;
}

static void only_white(void *user, const int *tokens, int n, float *logits)
{
    (void)user, (void)tokens, (void)n;
    for (int i = 0; i < 128; i++)
        if ((0x54a >> (i % 12)) & 1)
            logits[i] = -INFINITY;
}

TEST(generate_is_a_function_of_the_seed)
{
    arena a = {0};
    err e = {0};
    env v = {0};
    float emotion[64];
    int tokens[4][64], prompt[] = {60, 62, 64, 65, 67};
    params *p = loud_params(model_find("melody_transformer"), &a);
    feeling(emotion);
    for (int k = 0; k < 4; k++) {
        sampler_options o = {.temperature = 1, .top_p = 1, .penalty = 1, .seed = k == 2 ? 6 : 5};
        generator *g = generator_open(model_find("melody_transformer"), p,
                                      &(generator_setup){.emotion = emotion}, &a, &e);
        generate_job job = {.prompt = prompt, .n_prompt = 5, .tokens = tokens[k], .n = 40};
        job.done = k == 3 ? three : NULL, job.forbid = only_white;
        job.by = sampler_open(&o, g->count, &a);
        EXPECT_OK(generate(g, &job, 1, &v, &e), e);
        EXPECT_INT(job.drawn, k == 3 ? 3 : 40);
        generator_close(g);
    }
    EXPECT(memcmp(tokens[0], tokens[1], 45 * sizeof(int)) == 0);
    EXPECT(memcmp(tokens[0], tokens[2], 45 * sizeof(int)) != 0);
    EXPECT(memcmp(tokens[0], tokens[3], 8 * sizeof(int)) == 0);
    EXPECT(memcmp(tokens[0], prompt, sizeof prompt) == 0);
    for (int i = 5; i < 45; i++)
        EXPECT(!((0x54a >> (tokens[0][i] % 12)) & 1));
    params_release(p);
    arena_free(&a);
}
