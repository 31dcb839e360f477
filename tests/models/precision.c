// SPDX-License-Identifier: GPL-3.0-or-later
// precision.c: every model in bf16x3 and in bf16, by every way of multiplying that this CPU has:
// how far gradients lie from fp32's, that they do not depend on threads, and that they are those of
// the other ways up to the order of summation.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/op.h"
#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/models/small_model.h"
#include "tests/models/step.h"
#include "tests/test.h"

// The difference against the largest element that all but a thousandth of the numbers keep to. A
// ReLU whose input is next to zero may fall to the other side, and its unit's few gradients with
// it: that is no error of a product.
static double distance(const float *a, const float *b, int64_t n)
{
    static const double steps[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1};
    double top = 0;
    for (int64_t i = 0; i < n; i++)
        top = larger(top, fabs((double)b[i]));
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        int64_t beyond = 0;
        for (int64_t i = 0; i < n; i++)
            beyond += !(fabs((double)a[i] - (double)b[i]) <= steps[s] * top);
        if (beyond * 1000 <= n)
            return steps[s];
    }
    return INFINITY;
}

typedef struct bench {
    arena arena;
    const model_def *m;
    params *p;
    threads *pool;
} bench;

// The gradients of one step, kept.
static float *gradients(bench *b, int count, precision how)
{
    (void)step_model(b->m, b->p, b->pool, count, how);
    float *kept = NEW(&b->arena, float, (size_t)b->p->grads_len + 1);
    memcpy(kept, b->p->grads, sizeof *kept * (size_t)b->p->grads_len);
    return kept;
}

static const float *check_way(bench *b, const float *exact, precision how, const char *way,
                              double tolerance)
{
    setenv("KMIDI_BF16", way, 1);
    const float *one = gradients(b, 1, how);
    double d = distance(one, exact, b->p->grads_len);
    test_expect(d <= tolerance, __FILE__, __LINE__, "%s in %s by %s: gradients are off by %.3g",
                b->m->name, precision_name(how), way, d);
    for (int count = 2; count <= 3; count++)
        test_expect(!memcmp(gradients(b, count, how), one, sizeof *one * (size_t)b->p->grads_len),
                    __FILE__, __LINE__, "%s in %s by %s has other bits on %d threads", b->m->name,
                    precision_name(how), way, count);
    return one;
}

static void check_model(bench *b)
{
    static const double tolerance[] = {[PRECISION_BF16X3] = 1e-4, [PRECISION_BF16] = 1e-2},
                        alike[] = {[PRECISION_BF16X3] = 1e-5, [PRECISION_BF16] = 1e-3};
    const float *exact = gradients(b, 1, PRECISION_FP32);
    for (precision how = PRECISION_BF16X3; how <= PRECISION_BF16; how++) {
        const float *widened = check_way(b, exact, how, "widen", tolerance[how]);
        for (gemm_bf16_way way = GEMM_BF16_ONEDNN; way <= GEMM_BF16_AMX; way++) {
            const char *name = gemm_bf16_name(way);
            if (!gemm_bf16_here(way))
                continue;
            double d =
                distance(check_way(b, exact, how, name, tolerance[how]), widened, b->p->grads_len);
            test_expect(d <= alike[how], __FILE__, __LINE__,
                        "%s in %s: the ways 'widen' and '%s' differ by %.3g", b->m->name,
                        precision_name(how), name, d);
        }
    }
}

TEST(precision_of_every_model)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && model_at(i); i++) {
        bench b = {.arena = {.name = "precision"}, .pool = pool};
        b.p = params_open(&b.arena), b.m = small_model(i, &b.arena);
        check_model(&b);
        params_release(b.p);
        arena_free(&b.arena);
    }
    threads_close(pool);
}

// ---- The graph

// `chosen`, `said`: as precision_products takes and gives them.
static network *transformer_by(arena *a, params *p, precision how, const char *chosen,
                               const char **said)
{
    err e = {0};
    const model_def *m = model_configure(model_find("emotion_midi_transformer"),
                                         "layers=8 dim=64 heads=2 ffn=256 cross=0", a, &e);
    network *n =
        m ? model_build(m, p, &(model_dims){.batch = 16, .time = 128, .training = true}, a, &e)
          : NULL;
    if (!test_expect(n != NULL, __FILE__, __LINE__, "%s", e.text))
        return NULL;
    const char *was = precision_products(n->g, how, eval_kit(), chosen);
    if (said)
        *said = was;
    if (how == PRECISION_BF16)
        precision_store(n->g);
    params_layout(p);
    return n;
}

static network *transformer(arena *a, params *p, precision how)
{
    return transformer_by(a, p, how, NULL, NULL);
}

// The bytes of a plan; of bf16x3 with every product in `parts` ('1' or '3'), or as measured (0).
static uint64_t arena_in(precision how, char parts)
{
    arena a = {.name = "precision"};
    err e = {0};
    params *p = params_open(&a);
    const char *said = "";
    network *n = transformer_by(&a, p, how, NULL, &said);
    if (parts) {
        char *chosen = arena_strdup(&a, said);
        for (char *at = chosen; (at = strchr(at, '=')); at++)
            at[1] = parts;
        p = params_open(&a);
        n = transformer_by(&a, p, how, chosen, NULL);
    }
    plan_options o = {
        .threads = 1, .outputs = &n->loss_sum, .n_outputs = 1, .params = p, .grads = n->grads};
    plan *pl = plan_make(n->g, &o, &a, &e);
    EXPECT_OK(pl != NULL, e);
    uint64_t bytes = pl ? pl->arena_bytes : 0;
    arena_free(&a);
    return bytes;
}

TEST(precision_bf16_keeps_half_of_the_bytes)
{
    uint64_t narrow = arena_in(PRECISION_BF16, 0), full = arena_in(PRECISION_FP32, 0);
    EXPECT_BELOW((double)narrow / (double)full, 0.6);
    // bf16x3 splits what its products take: none here, or all, beside what others need in f32
    EXPECT_INT(arena_in(PRECISION_BF16X3, '1'), full);
    EXPECT_BELOW((double)arena_in(PRECISION_BF16X3, '3') / (double)full, 1.06);
}

static int products_of(const char *chosen, const char **said, arena *a)
{
    err e = {0};
    int products = 0;
    const model_def *m = model_configure(model_find("emotion_midi_transformer"),
                                         "layers=1 dim=64 heads=2 ffn=256 cross=0", a, &e);
    network *n = m ? model_build(m, params_open(a),
                                 &(model_dims){.batch = 4, .time = 128, .training = true}, a, &e)
                   : NULL;
    if (!test_expect(n != NULL, __FILE__, __LINE__, "%s", e.text))
        return -1;
    *said = precision_products(n->g, PRECISION_BF16X3, eval_kit(), chosen);
    for (int i = 0; i < graph_nodes(n->g); i++)
        products += graph_node(n->g, i)->op == op_get(OP_bf16_matmul);
    return products;
}

// gate_proj and up_proj: [512, 64] by w [256, 64] transposed.
TEST(precision_bf16x3_does_again_what_was_chosen)
{
    arena a = {.name = "precision"};
    const char *said, *again;
    const gemm_ways *w = &eval_kit()->products;
    bool others = w->bf16_forced || w->bf16 != GEMM_BF16_WIDEN;
    int products = products_of(" 512x256x64nt=3", &said, &a);
    EXPECT_INT(products, others ? products_of(said, &again, &a) : 2);
    EXPECT_HAS(said, " 512x256x64nt=3 ");
    EXPECT_HAS(said, " 64x256x512tn=");
    EXPECT_INT(products_of(said, &again, &a), products_of(again, &again, &a));
    EXPECT_STR(again, said);
    arena_free(&a);
}

// Emulated, or by instructions that do not pay, three products cannot be faster than one.
TEST(precision_bf16x3_is_measured)
{
    if (!gemm_bf16_here(GEMM_BF16_ONEDNN) || gemm_bf16_best() != GEMM_BF16_WIDEN) {
        test_skip("for CPUs with AVX-512 and without bf16 that pays");
        return;
    }
    setenv("KMIDI_BF16", "onednn", 1);
    EXPECT(!gemm_bf16x3_faster(&eval_kit()->products,
                               &(gemm){.tb = true, .m = 512, .n = 384, .k = 384}));
}

// How many casts of a matrix to bf16 there are.
static int casts_of(const graph *g, const tensor *t)
{
    int casts = 0;
    for (int i = 0; i < graph_nodes(g); i++)
        casts += graph_node(g, i)->in[0] == t && graph_node(g, i)->op == op_get(OP_cast);
    return casts;
}

TEST(precision_casts_a_weight_once_a_step)
{
    arena a = {.name = "precision"};
    network *n = transformer(&a, params_open(&a), PRECISION_BF16);
    int weights = 0, products = 0;
    for (int i = 0; n && i < graph_tensors(n->g); i++) {
        const tensor *t = graph_tensor(n->g, i);
        if (t->kind == TENSOR_PARAM && t->shape.rank == 2) {
            weights++;
            EXPECT(casts_of(n->g, t) <= 1);
        }
    }
    for (int i = 0; n && i < graph_nodes(n->g); i++)
        products += graph_node(n->g, i)->op == op_get(OP_bf16_matmul);
    EXPECT(weights >= 20 && products >= 3 * 8 * 5);
    arena_free(&a);
}

// What a loss reads, statistics of rows and tables of angles keep all bits.
TEST(precision_keeps_what_must_be_exact)
{
    arena a = {.name = "precision"};
    network *n = transformer(&a, params_open(&a), PRECISION_BF16);
    for (int i = 0; n && i < graph_nodes(n->g); i++) {
        const node *q = graph_node(n->g, i);
        if (q->op != op_get(OP_cast) || !q->in[0]->from || q->in[0]->from->backward)
            continue;
        const tensor *x = q->in[0];
        EXPECT(x->from->op != op_get(OP_rope_table));
        EXPECT(x == x->from->out[0]);
    }
    EXPECT_INT(n ? casts_of(n->g, n->logits) : 1, 0);
    arena_free(&a);
}

// Gradients added up over two runs, the second on what the first had made of the weights.
TEST(precision_casts_a_weight_once_for_several_batches)
{
    arena a = {.name = "precision"};
    err e = {0};
    params *p = params_open(&a);
    network *n = transformer(&a, p, PRECISION_BF16);
    plan_options o = {.threads = 1,
                      .outputs = &n->loss_sum,
                      .n_outputs = 1,
                      .params = p,
                      .grads = n->grads,
                      .grad_mode = GRAD_ADD};
    plan *pl = plan_make(n->g, &o, &a, &e);
    EXPECT_OK(pl && params_allocate(p, 0, &e), e);
    params_init(p, 1);
    run *r = run_open(pl, p, NULL, &a, &e);
    EXPECT_OK(r != NULL, e);
    int once = 0;
    for (int i = 0; pl && i < pl->n_steps; i++)
        once += pl->steps[i].once;
    EXPECT(once >= 20);
    float losses[3];
    for (int i = 0; i < 3; i++) {
        for (int64_t k = 0; k < shape_count(n->weight->shape); k++)
            ((float *)run_data(r, n->weight))[k] = 1;
        run_go(r, &(run_pass){.seed = 1, .step = 1, .training = true, .same_weights = i == 1},
               NULL);
        losses[i] = *(const float *)run_data(r, n->loss_sum);
        if (i == 1) // other weights: the next step must see them
            params_init(p, 2);
    }
    EXPECT(losses[0] > 0 && losses[1] == losses[0] && losses[2] != losses[0]);
    run_close(r);
    params_release(p);
    arena_free(&a);
}

TEST(precision_has_three_names)
{
    precision p;
    for (int i = 0; i < PRECISION_COUNT; i++)
        EXPECT(precision_find(precision_name((precision)i), &p) && (int)p == i);
    EXPECT(!precision_find("fp16", &p));
    char how[48];
    EXPECT_STR(precision_describe(PRECISION_FP32, eval_kit(), how), "fp32");
    EXPECT_HAS(precision_describe(PRECISION_BF16, eval_kit(), how), "bf16 (");
}
