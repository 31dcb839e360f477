// SPDX-License-Identifier: GPL-3.0-or-later
// emitter.c: any exporter can draw from the ops' portable forms: here one that writes them as text,
// a line a constant or node, which knows nothing of ONNX's files.
#include "autograd/emitter.h"

#include <string.h>

#include "autograd/op.h"
#include "base/names.h"
#include "base/str.h"
#include "export/onnx_emit.h"
#include "tests/test.h"

// ---- The exporter

typedef struct text {
    strbuf lines;
    name_set known; // inputs, constants, outputs of nodes
    arena *arena;
    int nodes, constants;
} text;

// Each value is given once.
static void define(text *t, const char *name)
{
    test_expect(name_set_add(&t->known, arena_strdup(t->arena, name)), __FILE__, __LINE__,
                "%s is there already", name);
}

static void text_constant(void *to, const emit_constant *c)
{
    static const char *const types[] = {[EMIT_F32] = "f32", [EMIT_I32] = "i32", [EMIT_I64] = "i64"};
    static const size_t sizes[] = {[EMIT_F32] = 4, [EMIT_I32] = 4, [EMIT_I64] = 8};
    text *t = to;
    char dims[64];
    define(t, c->name);
    EXPECT_INT(c->bytes, (size_t)shape_count(c->shape) * sizes[c->type]);
    strbuf_printf(&t->lines, "%s: %s %s", c->name, types[c->type], shape_text(c->shape, dims));
    for (int64_t i = 0; i < shape_count(c->shape) && i < 4; i++)
        strbuf_printf(&t->lines, " %g",
                      c->type == EMIT_F32   ? (double)((const float *)c->data)[i]
                      : c->type == EMIT_I32 ? ((const int32_t *)c->data)[i]
                                            : (double)((const int64_t *)c->data)[i]);
    strbuf_printf(&t->lines, "\n");
    t->constants++;
}

static void text_attr(strbuf *b, const emit_attr *at)
{
    strbuf_printf(b, " %s", at->name);
    if (at->kind == EMIT_INT)
        strbuf_printf(b, "=%lld", (long long)at->i);
    if (at->kind == EMIT_FLOAT)
        strbuf_printf(b, "=%g", (double)at->f);
    if (at->kind == EMIT_STRING)
        strbuf_printf(b, "=%s", at->s);
    for (int i = 0; at->kind == EMIT_INTS && i < at->n; i++)
        strbuf_printf(b, "%c%lld", i ? ',' : '=', (long long)at->ints[i]);
}

static void text_node(void *to, const emit_call *c)
{
    text *t = to;
    for (int i = 0; i < c->n_out; i++) {
        if (*c->out[i])
            define(t, c->out[i]);
        strbuf_printf(&t->lines, "%s%s", i ? ", " : "", *c->out[i] ? c->out[i] : "-");
    }
    strbuf_printf(&t->lines, " = %s(", c->op);
    for (int i = 0; i < c->n_in; i++) {
        test_expect(!*c->in[i] || name_set_has(&t->known, c->in[i]), __FILE__, __LINE__,
                    "%s reads %s, which is not there yet", c->op, c->in[i]);
        strbuf_printf(&t->lines, "%s%s", i ? ", " : "", *c->in[i] ? c->in[i] : "-");
    }
    strbuf_printf(&t->lines, ")");
    for (int i = 0; i < c->n_attr; i++)
        text_attr(&t->lines, &c->attrs[i]);
    strbuf_printf(&t->lines, "\n");
    t->nodes++;
}

static const emit_form form = {"text", text_constant, text_node};

// ---- Drawing

typedef struct drawn {
    arena arena;
    graph *g;
    tensor *x[OP_IN_MAX], *y;
    text text;
} drawn;

static void build(drawn *d, const op_sample *s)
{
    err e = {0};
    *d = (drawn){.arena = {.name = "emitter"}};
    d->g = graph_open(&d->arena);
    for (int i = 0; i < s->n; i++)
        d->x[i] =
            graph_input(d->g, arena_printf(&d->arena, "x%d", i), s->in[i].type, s->in[i].shape);
    d->y = s->build(d->g, d->x);
    EXPECT_OK(graph_ok(d->g, &e), e);
}

static bool draw(drawn *d, int n, err *e)
{
    d->text.arena = d->text.known.arena = &d->arena;
    emitter *m = emitter_make(&form, &d->text, d->g, NULL, &d->arena);
    for (int i = 0; i < n; i++) {
        EXPECT(emitter_reserve(m, d->x[i]->name));
        define(&d->text, d->x[i]->name);
        emitter_bind(m, d->x[i], d->x[i]->name);
    }
    emitter_call(m, d->y, "y");
    return emitter_reach(m, d->y, e);
}

static void close_drawn(drawn *d)
{
    strbuf_free(&d->text.lines);
    arena_free(&d->arena);
}

// What ONNX gets of the same graph: as many nodes and constants, the last of which makes y.
static void compare_onnx(drawn *d, int n)
{
    err e = {0};
    onnx_model *model = onnx_model_open(&d->arena);
    emitter *m = emitter_open(model, "ONNX", d->g, NULL, &d->arena);
    for (int i = 0; i < n; i++) {
        EXPECT(emitter_reserve(m, d->x[i]->name));
        emitter_bind(m, d->x[i], d->x[i]->name);
    }
    emitter_call(m, d->y, "y");
    EXPECT_OK(emitter_reach(m, d->y, &e), e);
    EXPECT_INT(d->text.nodes, model->n_nodes);
    EXPECT_INT(d->text.constants, model->n_tensors);
}

TEST(emitter_of_text_draws_every_op)
{
    for (int i = 0; i < OP_COUNT; i++) {
        const op_def *op = op_get((op_id)i);
        err e = {0};
        drawn d;
        build(&d, &op->samples[0]);
        bool ok = draw(&d, op->samples[0].n, &e);
        if (op->portable) {
            EXPECT_OK(ok, e);
            EXPECT(name_set_has(&d.text.known, "y") && d.text.nodes > 0);
            compare_onnx(&d, op->samples[0].n);
        } else {
            EXPECT(!ok && strstr(e.text, "has no text form: ") && strstr(e.text, op->no_portable));
        }
        close_drawn(&d);
    }
}

TEST(emitter_of_text_says_what_an_op_is)
{
    arena a = {.name = "emitter"};
    const float w[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8};
    err e = {0};
    drawn d = {.arena = a};
    d.g = graph_open(&d.arena);
    d.x[0] = graph_input(d.g, "x", DT_F32, shape_of(2, 5, 3));
    d.y = op_softmax(d.g, op_linear(d.g, d.x[0], graph_const(d.g, DT_F32, shape_of(2, 2, 3), w),
                                    graph_const(d.g, DT_F32, shape_of(1, 2), b), ACT_RELU));
    EXPECT_OK(draw(&d, 1, &e), e);
    EXPECT_STR(d.text.lines.s, "constant: f32 [2] 7 8\n"
                               "constant_1: f32 [2, 3] 1 2 3 4\n"
                               "linear_1 = Gemm(x, constant_1, constant) transB=1\n"
                               "linear = Relu(linear_1)\n"
                               "y = Softmax(linear) axis=-1\n");
    close_drawn(&d);
}
