// SPDX-License-Identifier: GPL-3.0-or-later
// kit.c (tests): two plans of one graph in one process, of different widths, libraries and thread
// counts: each makes the bits that it makes alone, in turns and at the same time.
#include "autograd/kit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "autograd/op.h"
#include "autograd/run.h"
#include "base/hw.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

// IN is more than any library adds up in one go: below that, OpenBLAS and oneDNN make the same bits
// on some CPUs (AVX-512 with bf16).
enum { ROWS = 48, IN = 1130, HIDDEN = 200, TURNS = 12, AT_ONCE = 60, SIDES = 2 };

typedef struct net {
    graph *g;
    tensor *out[4]; // the result, and gradients of it
} net;

// A product with its activation, a norm, softmax and their ways back.
static net build(arena *a)
{
    net n = {.g = graph_open(a)};
    tensor *x = graph_input(n.g, "x", DT_F32, shape_of(2, ROWS, IN)),
           *w = graph_input(n.g, "w", DT_F32, shape_of(2, HIDDEN, IN)),
           *b = graph_input(n.g, "b", DT_F32, shape_of(1, HIDDEN)),
           *v = graph_input(n.g, "v", DT_F32, shape_of(2, HIDDEN, IN));
    tensor *h = op_linear(n.g, x, w, b, ACT_GELU), *wrt[] = {x, w, v};
    n.out[0] = op_softmax(n.g, op_matmul(n.g, h, v, false, false));
    tensor *dy = graph_input(n.g, "dy", DT_F32, n.out[0]->shape);
    graph_gradient_from(n.g, n.out[0], dy, wrt, 3, n.out + 1);
    return n;
}

// One of two plans, its run, and what it makes when it is alone.
typedef struct side {
    const net *n;
    plan *plan;
    run *run;
    threads *pool;
    float *alone[4];
    int wrong; // passes that made other bits
} side;

static size_t bytes_of(const tensor *t)
{
    return sizeof(float) * (size_t)shape_count(t->shape);
}

static void fill(run *r, const graph *g)
{
    static const char *const names[] = {"x", "w", "b", "v", "dy"};
    for (uint32_t i = 0; i < 5; i++) {
        float *to = run_input(r, names[i]);
        int64_t n = shape_count(graph_find_input(g, names[i])->shape);
        for (int64_t k = 0; k < n; k++)
            to[k] = test_fill(i + 1, (uint32_t)k, 0.5f);
    }
}

static side side_open(const net *n, const kit *k, int count, arena *a)
{
    err e = {0};
    side s = {.n = n, .pool = count > 1 ? threads_open(count, &e) : NULL};
    plan_options o = {
        .kit = k, .threads = count, .share_ns = 1000, .outputs = n->out, .n_outputs = 4};
    s.plan = plan_make(n->g, &o, a, &e);
    s.run = s.plan ? run_open(s.plan, NULL, s.pool, a, &e) : NULL;
    EXPECT_OK(s.run != NULL, e);
    fill(s.run, n->g);
    run_step(s.run, 1, 0, true);
    for (int i = 0; i < 4; i++)
        s.alone[i] = memcpy(arena_alloc(a, 1, bytes_of(n->out[i])), run_data(s.run, n->out[i]),
                            bytes_of(n->out[i]));
    return s;
}

static void side_close(side *s)
{
    run_close(s->run);
    threads_close(s->pool);
}

static void pass(side *s)
{
    for (int i = 0; i < 4; i++)
        memset(run_data(s->run, s->n->out[i]), 0, bytes_of(s->n->out[i]));
    run_step(s->run, 1, 0, true);
    for (int i = 0; i < 4; i++)
        if (memcmp(run_data(s->run, s->n->out[i]), s->alone[i], bytes_of(s->n->out[i]))) {
            s->wrong++;
            return;
        }
}

static void *many_passes(void *arg)
{
    hw_flush_denormals();
    for (int i = 0; i < AT_ONCE; i++)
        pass(arg);
    return NULL;
}

static bool alike(const side *a, const side *b, int i)
{
    return !memcmp(a->alone[i], b->alone[i], bytes_of(a->n->out[i]));
}

static void in_turns_and_at_once(side *s)
{
    pthread_t thread;
    for (int i = 0; i < TURNS; i++)
        pass(&s[i % SIDES]);
    EXPECT_INT(s[0].wrong + s[1].wrong, 0);
    EXPECT_INT(pthread_create(&thread, NULL, many_passes, &s[0]), 0);
    many_passes(&s[1]);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT_INT(s[0].wrong, 0);
    EXPECT_INT(s[1].wrong, 0);
}

// differ: results are others to the bit, so that plans that mix up their kits would be seen.
static void check_pair(const net *n, kit first, kit second, int count, bool differ)
{
    arena a = {.name = "pair"};
    side s[SIDES] = {side_open(n, &first, 1, &a), side_open(n, &second, count, &a)};
    EXPECT_INT(alike(&s[0], &s[1], 0) && alike(&s[0], &s[1], 2), !differ);
    in_turns_and_at_once(s);
    for (int i = 0; i < SIDES; i++)
        side_close(&s[i]);
    arena_free(&a);
}

static void ask_for(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static kit kit_of(variant width, gemm_backend b)
{
    kit k = *eval_kit();
    k.width = width;
    err e = {0};
    const env quiet = {0};
    EXPECT_OK(gemm_open_said(&quiet, gemm_backend_name(b), &k.products, &e), e);
    return k;
}

TEST(kit_two_plans_of_one_graph_make_the_bits_that_each_makes_alone)
{
    arena a = {.name = "kit"};
    variant best = variant_best();
    net n = build(&a);
    ask_for("KMIDI_GEMM", NULL); // both libraries, whatever the others are tested with
    kit base = kit_of(VARIANT_BASE, GEMM_OPENBLAS), wide = kit_of(best, GEMM_OPENBLAS),
        other = kit_of(VARIANT_BASE, GEMM_ONEDNN), all = kit_of(best, GEMM_ONEDNN);
    check_pair(&n, base, wide, 1, best != VARIANT_BASE);
    check_pair(&n, base, other, 1, true);
    check_pair(&n, base, base, 2, false);
    check_pair(&n, base, all, 2, true);
    arena_free(&a);
}

// What the environment asks for is asked once, where a plan is made.
TEST(kit_is_chosen_when_a_plan_is_made)
{
    arena a = {.name = "kit"};
    net n = build(&a);
    ask_for("KMIDI_ISA", "base"), ask_for("KMIDI_GEMM", "onednn");
    side s = side_open(&n, NULL, 1, &a);
    EXPECT_INT(s.plan->kit.width, VARIANT_BASE);
    EXPECT_INT(s.plan->kit.products.first, GEMM_ONEDNN);
    ask_for("KMIDI_ISA", NULL), ask_for("KMIDI_GEMM", "openblas");
    side other = side_open(&n, NULL, 1, &a);
    EXPECT_INT(other.plan->kit.width, variant_best());
    EXPECT_INT(other.plan->kit.products.first, GEMM_OPENBLAS);
    EXPECT(variant_best() == VARIANT_BASE || !alike(&s, &other, 2)); // arm64 has one width
    pass(&s);
    EXPECT_INT(s.wrong, 0);
    ask_for("KMIDI_GEMM", "mkl");
    err e = {0};
    EXPECT(!plan_make(n.g, &(plan_options){.threads = 1}, &a, &e) && e.code == ERR_USAGE);
    pass(&s);
    EXPECT_INT(s.wrong, 0);
    side_close(&s), side_close(&other);
    arena_free(&a);
}
