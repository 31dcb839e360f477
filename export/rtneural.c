// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural.c: from the portable forms of ops to layers that stand behind each other (rtneural.h).
//
// Every node must take what the one before it gave. Before the first layer there is nothing, or a
// table in which notes are looked up: the codes go into the file, and who runs the network adds the
// emotion to one of them.
#include "export/rtneural.h"

#include <string.h>

#include "autograd/emitter.h"
#include "base/str.h"

typedef struct walk {
    rtneural *r;
    arena *arena;
    const char *model, *input; // input: of the network, "" where notes are looked up
    const char *at;            // the value behind the last layer; NULL before the first
    emit_constant *constants;
    int n_constants, room;
    bool failed;
    err *e;
} walk;

static void put_constant(void *to, const emit_constant *c)
{
    walk *w = to;
    if (w->n_constants == w->room) {
        emit_constant *more = NEW(w->arena, emit_constant, (size_t)(w->room = w->room * 2 + 16));
        if (w->n_constants)
            memcpy(more, w->constants, sizeof *more * (size_t)w->n_constants);
        w->constants = more;
    }
    w->constants[w->n_constants++] = *c;
}

static const emit_constant *constant(const walk *w, const char *name)
{
    for (int i = 0; i < w->n_constants; i++)
        if (!strcmp(w->constants[i].name, name))
            return &w->constants[i];
    return NULL;
}

static void refuse(walk *w, const char *what)
{
    if (!w->failed)
        (void)err_set(w->e, ERR_VALUE,
                      "model %s needs %s, and of that RTNeural has nothing: it has dense layers, "
                      "LSTMs and tanh, relu, sigmoid, softmax, one behind the other; export it as "
                      "onnx or coreml",
                      w->model, what);
    w->failed = true;
}

static rtneural_layer *add(walk *w, rtneural_layer l)
{
    if (w->r->n == RTNEURAL_LAYERS) {
        refuse(w, "more layers than 32");
        return NULL;
    }
    l.activation = l.activation ? l.activation : "";
    w->r->layer[w->r->n++] = l;
    return &w->r->layer[w->r->n - 1];
}

static int64_t attr_int(const emit_call *c, const char *name)
{
    for (int i = 0; i < c->n_attr; i++)
        if (!strcmp(c->attrs[i].name, name))
            return c->attrs[i].i;
    return 0;
}

// b [columns, rows] of a [rows, columns]
static const float *transposed(arena *a, const float *from, int64_t rows, int64_t columns)
{
    float *to = NEW(a, float, (size_t)(rows * columns));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            to[k * rows + i] = from[i * columns + k];
    return to;
}

// MatMul by [in, out]; Gemm with transB by [out, in], and its bias.
static void dense(walk *w, const emit_call *c, const emit_constant *k)
{
    bool rows = attr_int(c, "transB") != 0;
    int64_t in = k->shape.d[rows ? 1 : 0], out = k->shape.d[rows ? 0 : 1];
    const emit_constant *bias = c->n_in > 2 ? constant(w, c->in[2]) : NULL;
    (void)add(w, (rtneural_layer){.kind = RTNEURAL_DENSE,
                                  .in = in,
                                  .out = out,
                                  .w = rows ? transposed(w->arena, k->data, out, in)
                                            : (const float *)k->data,
                                  .b = bias ? bias->data : NEW(w->arena, float, (size_t)out)});
}

// ONNX: W [1, 4 H, in], R [1, 4 H, H], B [1, 8 H] of gates i o f c, biases of input and state one
// behind the other. Here: columns, gates i f c o, one bias.
static void lstm(walk *w, const emit_call *c)
{
    static const int from[4] = {0, 2, 3, 1};
    const emit_constant *wx = constant(w, c->in[1]), *wh = constant(w, c->in[2]),
                        *b = c->n_in > 3 ? constant(w, c->in[3]) : NULL;
    if (!wx || !wh || !b || wx->shape.d[0] != 1) {
        refuse(w, "an LSTM whose weights are computed");
        return;
    }
    int64_t h = wh->shape.d[2], in = wx->shape.d[2];
    float *kernel = NEW(w->arena, float, (size_t)(in * 4 * h)),
          *state = NEW(w->arena, float, (size_t)(h * 4 * h)),
          *bias = NEW(w->arena, float, (size_t)(4 * h));
    const float *x = wx->data, *u = wh->data, *bs = b->data;
    for (int64_t g = 0; g < 4; g++)
        for (int64_t j = 0; j < h; j++) {
            int64_t row = from[g] * h + j, column = g * h + j;
            for (int64_t i = 0; i < in; i++)
                kernel[i * 4 * h + column] = x[row * in + i];
            for (int64_t i = 0; i < h; i++)
                state[i * 4 * h + column] = u[row * h + i];
            bias[column] = bs[row] + bs[4 * h + row];
        }
    (void)add(w, (rtneural_layer){RTNEURAL_LSTM, "", in, h, kernel, state, bias});
}

static void activate(walk *w, const char *name)
{
    rtneural_layer *last = w->r->n ? &w->r->layer[w->r->n - 1] : NULL;
    if (last && last->kind == RTNEURAL_DENSE && !*last->activation)
        last->activation = name;
    else
        (void)add(w, (rtneural_layer){.kind = RTNEURAL_ACTIVATION,
                                      .activation = name,
                                      .in = last ? last->out : 0,
                                      .out = last ? last->out : 0});
}

static const char *activation_of(const char *op)
{
    static const char *const names[][2] = {
        {"Relu", "relu"}, {"Tanh", "tanh"}, {"Sigmoid", "sigmoid"}, {"Softmax", "softmax"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(op, names[i][0]))
            return names[i][1];
    return NULL;
}

static bool is_one_of(const char *op, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(op, *list))
            return true;
    return false;
}

// What moves axes of batch and time is nothing where frames come one by one; and Slice is of the
// last frame, whose state has seen the others.
static const char *const of_order[] = {"Transpose", "Squeeze",  "Unsqueeze",
                                       "Slice",     "Identity", NULL};

// A layer behind the value that the last one gave.
static void layer(walk *w, const emit_call *c)
{
    const emit_constant *second = c->n_in > 1 ? constant(w, c->in[1]) : NULL;
    rtneural_layer *last = w->r->n ? &w->r->layer[w->r->n - 1] : NULL;
    if ((!strcmp(c->op, "Gemm") || !strcmp(c->op, "MatMul")) && second && second->shape.rank == 2)
        dense(w, c, second);
    else if (!strcmp(c->op, "LSTM"))
        lstm(w, c);
    else if (!strcmp(c->op, "Add") && second && second->shape.rank == 1 && last &&
             last->kind == RTNEURAL_DENSE && !*last->activation && second->shape.d[0] == last->out)
        last->b = second->data;
    else if (activation_of(c->op))
        activate(w, activation_of(c->op));
    else if (!is_one_of(c->op, of_order))
        refuse(w, !strcmp(c->op, "Conv") ? "Conv with strides in time and a pool behind it"
                                         : arena_printf(w->arena, "the operation %s", c->op));
}

// Notes are looked up in a table of constants, and the emotion is added.
static bool before(walk *w, const emit_call *c)
{
    static const char *const allowed[] = {"Cast", "Unsqueeze", "Add", NULL};
    const emit_constant *table = !strcmp(c->op, "Gather") ? constant(w, c->in[0]) : NULL;
    if (!*w->input && table && table->shape.rank == 2) {
        w->r->codes = table->data;
        w->r->n_codes = table->shape.d[0];
        return true;
    }
    return !*w->input && is_one_of(c->op, allowed);
}

static void put_node(void *to, const emit_call *c)
{
    walk *w = to;
    if (w->failed)
        return;
    bool first = !w->at && (*w->input ? !strcmp(c->in[0], w->input)
                                      : w->r->codes && c->n_in > 1 && !strcmp(c->op, "MatMul"));
    if (!first && !w->at && before(w, c))
        return;
    if (!first && (!w->at || strcmp(c->in[0], w->at))) {
        refuse(w, arena_printf(w->arena, "the operation %s beside others", c->op));
        return;
    }
    layer(w, c);
    w->at = arena_strdup(w->arena, c->out[0]);
}

rtneural *rtneural_build(const model_def *m, params *p, arena *a, err *e)
{
    static const emit_form form = {"rtneural", put_constant, put_node};
    const model_dims dims = {.batch = 1, .time = 1};
    bool notes = m->makes == MAKES_NOTES;
    walk w = {.r = NEW(a, rtneural, 1),
              .arena = a,
              .model = m->name,
              .input = notes ? "" : m->inputs[0].name,
              .e = e};
    network *n = model_build(m, p, &dims, a, e);
    if (!n)
        return NULL;
    emitter *to = emitter_make(&form, &w, n->g, p, a);
    for (int i = 0; i < m->n_inputs; i++)
        emitter_bind(to, n->in[i], m->inputs[i].name);
    emitter_call(to, n->out, m->output.name);
    if (!emitter_reach(to, n->out, e) || w.failed)
        return NULL;
    CHECK(w.at && !strcmp(w.at, m->output.name));
    return w.r;
}
