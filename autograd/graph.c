// SPDX-License-Identifier: GPL-3.0-or-later
// graph.c: growing lists of tensors and nodes in one arena, and what passes may change of them.
#include "autograd/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"

struct graph {
    arena *arena;
    node **nodes;
    int n_nodes, cap_nodes;
    tensor **tensors;
    int n_tensors, cap_tensors;
    graph_written *writes;
    int n_writes, cap_writes;
    tensor *poison;
    bool backward; // nodes are being appended by graph_gradient
    err error;
};

// ---- Building

// A list that doubles; the old copy stays in the arena, which at most doubles what the lists cost.
#define GROW(g, list, n, cap, T)                                                                   \
    do {                                                                                           \
        if ((n) == (cap)) {                                                                        \
            int wider = (cap) ? 2 * (cap) : 64;                                                    \
            T *copy = NEW((g)->arena, T, (size_t)wider);                                           \
            if (n)                                                                                 \
                memcpy(copy, (list), sizeof(T) * (size_t)(n));                                     \
            (list) = copy;                                                                         \
            (cap) = wider;                                                                         \
        }                                                                                          \
    } while (0)

static tensor *tensor_new(graph *g, tensor_kind kind, dtype type, shape s)
{
    GROW(g, g->tensors, g->n_tensors, g->cap_tensors, tensor *);
    tensor *t = NEW(g->arena, tensor, 1);
    *t = (tensor){.id = g->n_tensors, .kind = kind, .type = type, .shape = s, .param = -1};
    g->tensors[g->n_tensors++] = t;
    return t;
}

graph *graph_open(arena *a)
{
    graph *g = NEW(a, graph, 1);
    g->arena = a;
    g->poison = NEW(a, tensor, 1);
    g->poison->id = -1;
    return g;
}

arena *graph_arena(graph *g)
{
    return g->arena;
}

bool graph_ok(const graph *g, err *e)
{
    if (g->error.code == ERR_NONE)
        return true;
    return err_set(e, g->error.code, "%s", g->error.text);
}

tensor *graph_fail(graph *g, const char *fmt, ...)
{
    if (g->error.code == ERR_NONE) {
        char text[512];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        (void)err_set(&g->error, ERR_SHAPE, "%s", text);
    }
    return g->poison;
}

bool tensor_poisoned(const tensor *t)
{
    return t->id < 0;
}

tensor *graph_input(graph *g, const char *name, dtype type, shape s)
{
    tensor *t = tensor_new(g, TENSOR_INPUT, type, s);
    t->name = arena_strdup(g->arena, name);
    return t;
}

tensor *graph_param(graph *g, const char *name, int index, shape s)
{
    tensor *t = tensor_new(g, TENSOR_PARAM, DT_F32, s);
    t->name = arena_strdup(g->arena, name);
    t->param = index;
    return t;
}

// A view shows the bytes of another tensor, which may be a buffer that is written before.
static bool is_computed(const tensor *t)
{
    while (t->from && (t->from->op->flags & OP_VIEW))
        t = t->from->in[0];
    return t->kind == TENSOR_COMPUTED;
}

void graph_write(graph *g, const tensor *buffer, tensor *value)
{
    char a[64], b[64];
    if (tensor_poisoned(buffer) || tensor_poisoned(value))
        return;
    bool fits = buffer->kind == TENSOR_PARAM && is_computed(value) && value->type == DT_F32 &&
                shape_same(buffer->shape, value->shape);
    for (int i = 0; fits && i < g->n_writes; i++)
        fits = g->writes[i].buffer->param != buffer->param;
    if (!fits) {
        graph_fail(g, "buffer %s %s is written once, from computed numbers of its shape, not %s %s",
                   buffer->name ? buffer->name : "", shape_text(buffer->shape, a),
                   dtype_name(value->type), shape_text(value->shape, b));
        return;
    }
    GROW(g, g->writes, g->n_writes, g->cap_writes, graph_written);
    g->writes[g->n_writes++] = (graph_written){buffer, value};
}

const graph_written *graph_writes(const graph *g, int *n)
{
    *n = g->n_writes;
    return g->writes;
}

tensor *graph_const(graph *g, dtype type, shape s, const void *bytes)
{
    tensor *t = tensor_new(g, TENSOR_CONST, type, s);
    size_t n = (size_t)shape_count(s) * dtype_size(type);
    void *copy = arena_alloc(g->arena, 1, n);
    memcpy(copy, bytes, n);
    t->data = copy;
    return t;
}

static node *node_new(graph *g, const op_def *op, const void *attrs, size_t attrs_size, int n_in,
                      tensor *const in[])
{
    node *n = NEW(g->arena, node, 1);
    *n = (node){.op = op, .n_in = n_in, .backward = g->backward};
    n->n_out = n->op->n_out;
    n->in = NEW(g->arena, tensor *, (size_t)(n_in + 1));
    n->out = NEW(g->arena, tensor *, (size_t)n->n_out);
    memcpy(n->in, in, sizeof *in * (size_t)n_in);
    if (attrs_size) {
        void *copy = arena_alloc(g->arena, 1, attrs_size);
        memcpy(copy, attrs, attrs_size);
        n->attrs = copy;
    }
    for (int i = 0; i < n->n_out; i++) {
        n->out[i] = NEW(g->arena, tensor, 1);
        *n->out[i] = (tensor){.kind = TENSOR_COMPUTED, .from = n, .param = -1};
    }
    return n;
}

static void push(graph *g, node *made)
{
    GROW(g, g->nodes, g->n_nodes, g->cap_nodes, node *);
    made->id = g->n_nodes;
    g->nodes[g->n_nodes++] = made;
}

static tensor *append(graph *g, node *made)
{
    push(g, made);
    for (int i = 0; i < made->n_out; i++) {
        GROW(g, g->tensors, g->n_tensors, g->cap_tensors, tensor *);
        made->out[i]->id = g->n_tensors;
        g->tensors[g->n_tensors++] = made->out[i];
    }
    return made->out[0];
}

tensor *graph_add(graph *g, int op, const void *attrs, size_t attrs_size, int n, tensor *const in[])
{
    const op_def *def = op_get((op_id)op);
    CHECK(n >= def->n_in_min && n <= def->n_in_max && n <= OP_IN_MAX && def->n_out <= OP_OUT_MAX);
    if (g->error.code)
        return g->poison;
    for (int i = 0; i < n; i++)
        if (in[i] ? tensor_poisoned(in[i]) : !(def->optional >> i & 1))
            return graph_fail(g, "%s: input %d is not a tensor of this graph", def->name, i);
    node *made = node_new(g, def, attrs, attrs_size, n, in);
    err e = {0};
    if (!def->shape(made, &e))
        return graph_fail(g, "%s: %s", def->name, e.text);
    return append(g, made);
}

// A node like `n` on other inputs of the same shapes.
static node *node_like(graph *g, const node *n, tensor *const in[])
{
    node *made = node_new(g, n->op, NULL, 0, n->n_in, in);
    made->attrs = n->attrs;
    for (int i = 0; i < n->n_out; i++)
        made->out[i]->type = n->out[i]->type, made->out[i]->shape = n->out[i]->shape;
    return made;
}

tensor *graph_repeat(graph *g, const tensor *t)
{
    return g->error.code ? g->poison : append(g, node_like(g, t->from, t->from->in));
}

graph *graph_rewrite(const graph *g, arena *a)
{
    graph *made = graph_open(a);
    made->error = g->error;
    made->writes = g->writes, made->n_writes = made->cap_writes = g->n_writes;
    for (int i = 0; i < g->n_tensors; i++) {
        GROW(made, made->tensors, made->n_tensors, made->cap_tensors, tensor *);
        made->tensors[made->n_tensors++] = g->tensors[i];
    }
    return made;
}

void graph_keep(graph *g, const node *n, tensor *const in[])
{
    node *made = NEW(g->arena, node, 1);
    *made = *n;
    made->in = NEW(g->arena, tensor *, (size_t)n->n_in + 1);
    memcpy(made->in, in, sizeof *in * (size_t)n->n_in);
    push(g, made);
}

const node *graph_again(graph *g, const node *n, tensor *const in[])
{
    node *made = node_like(g, n, in);
    made->backward = made->again = true;
    append(g, made);
    return made;
}

void graph_rewire(graph *g, const node *n, int k, tensor *t)
{
    CHECK(g->nodes[n->id] == n && k < n->n_in && !tensor_poisoned(t));
    g->nodes[n->id]->in[k] = t;
}

void graph_become(graph *g, const node *n, const node *like)
{
    node *to = g->nodes[n->id];
    CHECK(to == n && like->n_out == n->n_out && shape_same(like->out[0]->shape, n->out[0]->shape) &&
          like->out[0]->type == n->out[0]->type);
    to->op = like->op, to->attrs = like->attrs, to->in = like->in, to->n_in = like->n_in;
}

void graph_narrow(graph *g, const tensor *t)
{
    CHECK(g->tensors[t->id] == t && t->from && t->from->op->writes_bf16 && t == t->from->out[0]);
    g->tensors[t->id]->type = DT_BF16;
}

void graph_append_to(graph *g, bool backward)
{
    g->backward = backward;
}

void graph_order(graph *g, const node *const order[], int n)
{
    node **nodes = NEW(g->arena, node *, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        nodes[i] = g->nodes[order[i]->id];
        CHECK(nodes[i] == order[i]);
    }
    for (int i = 0; i < n; i++)
        nodes[i]->id = i;
    g->nodes = nodes, g->n_nodes = g->cap_nodes = n;
}

int graph_nodes(const graph *g)
{
    return g->n_nodes;
}
const node *graph_node(const graph *g, int i)
{
    return g->nodes[i];
}
int graph_tensors(const graph *g)
{
    return g->n_tensors;
}
tensor *graph_tensor(const graph *g, int i)
{
    return g->tensors[i];
}

tensor *graph_find_input(const graph *g, const char *name)
{
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_INPUT && !strcmp(g->tensors[i]->name, name))
            return g->tensors[i];
    return NULL;
}

void graph_name(graph *g, tensor *t, const char *name)
{
    if (!tensor_poisoned(t))
        t->name = arena_strdup(g->arena, name);
}
