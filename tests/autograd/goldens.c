// SPDX-License-Identifier: GPL-3.0-or-later
// goldens.c: outputs and gradients of the ops against PyTorch in float64 (tests/golden/ops.json,
// made by ops.py beside it).
//
// A case names a PyTorch function; a row of the table builds the same of our ops. Functions that no
// model needs yet have no row and are listed as such, so that a case that is neither fails.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/autograd/eval.h"
#include "tests/test.h"

typedef struct golden {
    const json *attrs, *inputs;
    graph *g;
    tensor *x[OP_IN_MAX];
    int n;
} golden;

static int64_t attr_int(const golden *c, const char *name)
{
    return json_int(json_get(c->attrs, name), 0);
}

static float attr_float(const golden *c, const char *name)
{
    return (float)json_num(json_get(c->attrs, name), 0);
}

static tensor *build_linear(golden *c)
{
    static const char *const names[] = {[ACT_NONE] = "none",
                                        [ACT_RELU] = "relu",
                                        [ACT_TANH] = "tanh",
                                        [ACT_SIGMOID] = "sigmoid",
                                        [ACT_GELU] = "gelu"};
    const char *name = json_str(json_get(c->attrs, "activation"), "");
    activation act = ACT_NONE;
    while (strcmp(names[act], name))
        act++;
    return op_linear(c->g, c->x[0], c->x[1], c->n > 2 ? c->x[2] : NULL, act);
}

static tensor *build_add(golden *c)
{
    return op_add(c->g, c->x[0], c->x[1]);
}
static tensor *build_sub(golden *c)
{
    return op_sub(c->g, c->x[0], c->x[1]);
}
static tensor *build_mul(golden *c)
{
    return op_mul(c->g, c->x[0], c->x[1]);
}
static tensor *build_relu(golden *c)
{
    return op_act(c->g, c->x[0], ACT_RELU);
}
static tensor *build_tanh(golden *c)
{
    return op_act(c->g, c->x[0], ACT_TANH);
}
static tensor *build_sigmoid(golden *c)
{
    return op_act(c->g, c->x[0], ACT_SIGMOID);
}
static tensor *build_gelu(golden *c)
{
    return op_act(c->g, c->x[0], ACT_GELU);
}
static tensor *build_softmax(golden *c)
{
    return op_softmax(c->g, c->x[0]);
}
static tensor *build_lstm(golden *c)
{
    return op_lstm(c->g, c->x[0], c->x[1], c->x[2], c->x[3], c->x[4]);
}
static tensor *build_code(golden *c)
{
    return op_note_code(c->g, c->x[0], (int)attr_int(c, "dim"));
}
static tensor *build_embedding(golden *c)
{
    return op_embedding(c->g, c->x[0], c->x[1]);
}
static tensor *build_layer_norm(golden *c)
{
    return op_layer_norm(c->g, c->x[0], c->x[1], c->x[2]);
}
static tensor *build_swiglu(golden *c)
{
    return op_swiglu(c->g, c->x[0], c->x[1]);
}
static tensor *build_attention(golden *c)
{
    int heads = (int)attr_int(c, "heads");
    bool rope = json_bool(json_get(c->attrs, "rope"), false);
    tensor *table =
        rope ? op_rope_table(c->g, c->x[0], NULL, (int)c->x[0]->shape.d[2] / heads) : NULL;
    return op_attention(c->g, c->x[0], c->x[1], c->x[2], table, heads,
                        json_bool(json_get(c->attrs, "causal"), false));
}
static tensor *build_window_attention(golden *c)
{
    const json *cut = json_get(c->attrs, "cut");
    int x[4];
    for (size_t k = 0; k < 4; k++)
        x[k] = (int)json_int(json_at(cut, k), 0);
    return op_window_attention(c->g, c->x, (int)attr_int(c, "heads"),
                               (window_cut){x[0], x[1], x[2], x[3]});
}
static tensor *build_patch_merge(golden *c)
{
    return op_patch_merge(c->g, c->x[0]);
}
static tensor *build_concat(golden *c)
{
    return op_concat(c->g, (int)attr_int(c, "axis"), c->n, c->x);
}

static tensor *build_slice(golden *c)
{
    int64_t begin = attr_int(c, "begin");
    return op_slice(c->g, c->x[0], (int)attr_int(c, "axis"), begin, attr_int(c, "end") - begin);
}

static unsigned summed_axes(const golden *c)
{
    return json_get(c->attrs, "axis") ? 1u << attr_int(c, "axis") : (1u << c->x[0]->shape.rank) - 1;
}

static tensor *build_sum(golden *c)
{
    return op_sum(c->g, c->x[0], summed_axes(c), false);
}

static tensor *build_mean(golden *c)
{
    tensor *y = build_sum(c);
    return op_scale(c->g, y,
                    (float)((double)shape_count(y->shape) / (double)shape_count(c->x[0]->shape)));
}

// A permutation as exchanges of two axes.
static tensor *build_permute(golden *c)
{
    const json *axes = json_get(c->attrs, "axes");
    int at[RANK_MAX] = {0, 1, 2, 3};
    tensor *y = c->x[0];
    for (int i = 0; i < (int)json_len(axes); i++) {
        int j = i;
        while (at[j] != json_int(json_at(axes, (size_t)i), 0))
            j++;
        if (j == i)
            continue;
        y = op_transpose(c->g, y, i, j);
        at[j] = at[i];
    }
    return y;
}

// Weights 1 or a class's, 0 where the target is to be ignored; the mean is over their sum, as
// PyTorch's.
static tensor *build_cross_entropy(golden *c)
{
    const json *targets = json_get(json_at(c->inputs, 1), "values"),
               *classes = json_get(c->attrs, "class_weights");
    float weight[16], total = 0;
    int n = (int)json_len(targets);
    for (int i = 0; i < n; i++) {
        int64_t t = json_int(json_at(targets, (size_t)i), 0);
        weight[i] = t < 0 ? 0 : classes ? (float)json_num(json_at(classes, (size_t)t), 0) : 1;
        total += weight[i];
    }
    tensor *w = graph_const(c->g, DT_F32, shape_of(1, n), weight);
    return op_scale(c->g,
                    op_cross_entropy(c->g, c->x[0], c->x[1], w, attr_float(c, "label_smoothing")),
                    1.0f / total);
}

static tensor *mean_over_rows(golden *c, tensor *(*loss)(graph *, tensor *, tensor *, tensor *))
{
    float weight[16];
    int64_t rows = c->x[0]->shape.d[0];
    for (int i = 0; i < rows; i++)
        weight[i] = 1.0f / (float)rows;
    return loss(c->g, c->x[0], c->x[1], graph_const(c->g, DT_F32, shape_of(1, rows), weight));
}

static tensor *build_mse(golden *c)
{
    return mean_over_rows(c, op_mse);
}
static tensor *build_smooth_l1(golden *c)
{
    return mean_over_rows(c, op_smooth_l1);
}

static tensor *build_chamfer(golden *c)
{
    return mean_over_rows(c, op_chamfer);
}

// [B, C, H, W] -> [B, H, W, C], and back
static tensor *channels_last(graph *g, tensor *x)
{
    return op_transpose(g, op_transpose(g, x, 1, 2), 2, 3);
}
static tensor *channels_second(graph *g, tensor *x)
{
    return op_transpose(g, op_transpose(g, x, 2, 3), 1, 2);
}

static tensor *build_conv2d(golden *c)
{
    tensor *in[] = {channels_last(c->g, c->x[0]), op_filters(c->g, c->x[1]), c->x[2], NULL};
    tensor *y = op_conv2d(c->g, in, attr_int(c, "stride"), attr_int(c, "padding"), ACT_NONE);
    return channels_second(c->g, y);
}

static tensor *build_batch_norm(golden *c)
{
    float zeros[16] = {0};
    int64_t channels = c->x[1]->shape.d[0];
    bool relu = !strcmp(json_str(json_get(c->attrs, "activation"), ""), "relu");
    tensor *running = graph_const(c->g, DT_F32, shape_of(1, channels), zeros);
    tensor *in[] = {channels_last(c->g, c->x[0]), c->x[1], c->x[2], running, running};
    return channels_second(c->g, op_batch_norm(c->g, in, NULL, relu ? ACT_RELU : ACT_NONE));
}

static tensor *build_avg_pool(golden *c)
{
    return channels_second(c->g, op_avg_pool(c->g, channels_last(c->g, c->x[0]),
                                             attr_int(c, "down"), attr_int(c, "across")));
}

static const struct {
    const char *name;
    tensor *(*build)(golden *c); // NULL: no model needs it yet
} functions[] = {
    {"linear", build_linear},
    {"add", build_add},
    {"sub", build_sub},
    {"mul", build_mul},
    {"relu", build_relu},
    {"tanh", build_tanh},
    {"sigmoid", build_sigmoid},
    {"gelu", build_gelu},
    {"silu", NULL},
    {"exp", NULL},
    {"log", NULL},
    {"sqrt", NULL},
    {"sum", build_sum},
    {"mean", build_mean},
    {"softmax", build_softmax},
    {"concat", build_concat},
    {"slice", build_slice},
    {"transpose", build_permute},
    {"softmax_cross_entropy", build_cross_entropy},
    {"mse", build_mse},
    {"smooth_l1", build_smooth_l1},
    {"lstm", build_lstm},
    {"pitch_code", build_code},
    {"embedding", build_embedding},
    {"layer_norm", build_layer_norm},
    {"swiglu", build_swiglu},
    {"attention", build_attention},
    {"window_attention", build_window_attention},
    {"patch_merge", build_patch_merge},
    {"chamfer", build_chamfer},
    {"conv2d", build_conv2d},
    {"batch_norm", build_batch_norm},
    {"avg_pool", build_avg_pool},
};

// PyTorch weighs the smoothing term by each class's weight, we by the target's (cross_entropy.c
// says why): not the same number.
static bool is_ours(const json *one, tensor *(*build)(golden *c))
{
    const json *attrs = json_get(one, "attrs");
    bool other =
        json_get(attrs, "class_weights") && json_num(json_get(attrs, "label_smoothing"), 0) > 0;
    return build && !other;
}

// ---- One case

static shape shape_read(const json *dims)
{
    shape s = {.rank = (int)json_len(dims)};
    for (int i = 0; i < s.rank; i++)
        s.d[i] = json_int(json_at(dims, (size_t)i), 0);
    return s;
}

static void fill(float *to, shape s, const json *in)
{
    float offset = (float)json_num(json_get(in, "offset"), 0),
          scale = (float)json_num(json_get(in, "scale"), 1);
    const json *values = json_get(in, "values");
    for (int64_t k = 0; k < shape_count(s); k++)
        if (values)
            ((int32_t *)to)[k] = (int32_t)json_int(json_at(values, (size_t)k), 0);
        else
            to[k] =
                test_fill((uint32_t)json_int(json_get(in, "seed"), 0), (uint32_t)k, scale) + offset;
}

static void compare(const float *got, const json *values, const char *op, int number,
                    const char *what)
{
    double most = 0, top = 1e-3;
    for (size_t k = 0; k < json_len(values); k++) {
        double want = json_num(json_at(values, k), NAN), d = fabs((double)got[k] - want);
        most = d > most || isnan(d) ? d : most;
        top = fabs(want) > top ? fabs(want) : top;
    }
    test_expect(most <= 5e-6 * top, __FILE__, __LINE__, "case %d, %s: %s is off by %.3g of %.3g",
                number, op, what, most, top);
}

static void check_case(const json *one, int number, tensor *(*build)(golden *c), arena *a)
{
    err e = {0};
    golden c = {json_get(one, "attrs"),
                json_get(one, "inputs"),
                graph_open(a),
                {0},
                (int)json_len(json_get(one, "inputs"))};
    const json *grads = json_get(one, "input_grads"), *out = json_at(json_get(one, "outputs"), 0);
    const char *op = json_str(json_get(one, "op"), "");
    tensor *d, *grad[OP_IN_MAX] = {0}, *wrt[OP_IN_MAX];
    int n_wrt = 0, input_of[OP_IN_MAX];
    for (int i = 0; i < c.n; i++) {
        const json *in = json_at(c.inputs, (size_t)i);
        dtype type = json_get(in, "values") ? DT_I32 : DT_F32;
        c.x[i] = graph_input(c.g, "x", type, shape_read(json_get(in, "shape")));
        if (json_type(json_at(grads, (size_t)i)) == JSON_ARRAY)
            input_of[n_wrt] = i, wrt[n_wrt++] = c.x[i];
    }
    tensor *y = build(&c);
    d = graph_input(c.g, "d", DT_F32, y->shape);
    graph_gradient_from(c.g, y, d, wrt, n_wrt, grad);
    if (!test_expect(graph_ok(c.g, &e), __FILE__, __LINE__, "case %d, %s: %s", number, op, e.text))
        return;
    test_expect(shape_same(y->shape, shape_read(json_get(out, "shape"))), __FILE__, __LINE__,
                "case %d, %s: shape", number, op);
    eval *ev = eval_open(c.g, a);
    for (int i = 0; i < c.n; i++)
        fill(ev->data[c.x[i]->id], c.x[i]->shape, json_at(c.inputs, (size_t)i));
    for (int64_t k = 0; k < shape_count(d->shape); k++)
        ((float *)ev->data[d->id])[k] =
            test_fill((uint32_t)json_int(json_get(one, "grad_seed"), 0), (uint32_t)k, 1.0f);
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    compare(ev->data[y->id], json_get(out, "values"), op, number, "output");
    for (int i = 0; i < n_wrt; i++)
        if (test_expect(grad[i] != NULL, __FILE__, __LINE__, "case %d, %s: no gradient %d", number,
                        op, i))
            compare(ev->data[grad[i]->id], json_at(grads, (size_t)input_of[i]), op, number,
                    "gradient");
}

TEST(goldens_of_ops)
{
    json *file = test_golden("ops");
    const json *cases = json_get(file, "cases");
    int done = 0;
    for (size_t i = 0; i < json_len(cases); i++) {
        const json *one = json_at(cases, i);
        arena a = {.name = "golden"};
        bool known = false;
        for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
            if (test_same(functions[k].name, json_str(json_get(one, "op"), ""))) {
                known = true;
                if (is_ours(one, functions[k].build)) {
                    check_case(one, (int)i, functions[k].build, &a);
                    done++;
                }
            }
        test_expect(known, __FILE__, __LINE__, "case %zu: no row for '%s'", i,
                    json_str(json_get(one, "op"), ""));
        arena_free(&a);
    }
    EXPECT(done >= 68);
    json_free(file);
}
