// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: from a graph to an order, lifetimes and byte offsets.
//
// Passes, each over what the one before left: which nodes are needed; steps in the graph's own
// order (which is topological, and in the backward part puts a weight's gradient right behind the
// activation's that it needs); last uses; roots (views and in-place outputs share their source's
// bytes); lifetimes of roots; offsets.
#include <string.h>

#include "autograd/op.h"
#include "autograd/plan_internal.h"

enum { LINE = 64 }; // bytes: tensors start on cache lines

typedef struct planner {
    const graph *g;
    const plan_options *o;
    plan *p;
    arena *a;
    int n_tensors;
    bool *needed;     // by tensor id
    int *used;        // by tensor id: last step that reads it, or -1
    int *ends;        // by root id: last step in which any member is read
    bool *kept;       // by tensor id: an output, or a gradient that lies in the flat buffer
    const int *bound; // by tensor id: parameter whose gradient is computed here, or -1
    const graph_written *writes;
    int n_writes;
} planner;

uint64_t plan_tensor_bytes(const tensor *t)
{
    uint64_t n = (uint64_t)shape_count(t->shape) * dtype_size(t->type);
    return (n + LINE - 1) / LINE * LINE;
}

// ---- Which nodes, in which order

static void mark_needed(planner *q)
{
    q->needed = NEW(q->a, bool, (size_t)q->n_tensors + 1);
    for (int i = 0; i < q->o->n_outputs; i++)
        q->needed[q->o->outputs[i]->id] = true;
    for (int i = 0; q->o->grads && i < q->o->params->n; i++)
        if (q->o->grads[i])
            q->needed[q->o->grads[i]->id] = true;
    for (int i = 0; i < q->n_writes; i++)
        q->needed[q->writes[i].value->id] = true;
    for (int i = graph_nodes(q->g) - 1; i >= 0; i--) {
        const node *n = graph_node(q->g, i);
        bool any = false;
        for (int k = 0; k < n->n_out; k++)
            any = any || q->needed[n->out[k]->id];
        for (int k = 0; k < n->n_in && any; k++)
            if (n->in[k])
                q->needed[n->in[k]->id] = true;
    }
}

static bool node_needed(const planner *q, const node *n)
{
    for (int k = 0; k < n->n_out; k++)
        if (q->needed[n->out[k]->id])
            return true;
    return false;
}

// One gradient can be computed in place in the flat buffer: a plain computed tensor that is nothing
// else's gradient.
static void bind_gradients(planner *q)
{
    int *bound = NEW(q->a, int, (size_t)q->n_tensors + 1);
    for (int i = 0; i < q->n_tensors; i++)
        bound[i] = -1;
    q->bound = bound;
    if (!q->o->grads || q->o->grad_mode != GRAD_STORE)
        return;
    for (int i = 0; i < q->o->params->n; i++) {
        const tensor *t = q->o->grads[i];
        if (t && t->from && !(t->from->op->flags & OP_VIEW) && bound[t->id] < 0 &&
            q->o->params->list[i].goffset >= 0)
            bound[t->id] = i;
    }
}

static bool makes(const node *n, const tensor *t)
{
    for (int k = 0; n && k < n->n_out; k++)
        if (n->out[k] == t)
            return true;
    return !n && !t->from;
}

// Appends the moves of gradients that `n` made (NULL: no node did) and that are not bound to their
// place.
static void add_moves(planner *q, const node *n)
{
    for (int i = 0; q->o->grads && i < q->o->params->n; i++) {
        const tensor *t = q->o->grads[i];
        if (!t || !makes(n, t) || q->bound[t->id] == i)
            continue;
        double cost = (double)plan_tensor_bytes(t) * 0.1;
        q->p->steps[q->p->n_steps++] =
            (plan_step){.grad = t, .param = i, .threads = 1, .cost_ns = cost};
    }
}

// Buffers are written when nothing reads any more what they held.
static void add_writes(planner *q)
{
    for (int i = 0; i < q->n_writes; i++)
        q->p->steps[q->p->n_steps++] =
            (plan_step){.grad = q->writes[i].value,
                        .param = q->writes[i].buffer->param,
                        .write = true,
                        .threads = 1,
                        .cost_ns = (double)plan_tensor_bytes(q->writes[i].value) * 0.1};
}

static const op_def *op_at(const node *n, const kit *by)
{
    return op_get_variant(op_id_of(n->op), by->width);
}

double plan_node_cost(const node *n, const kit *by)
{
    if (n->op->flags & OP_VIEW)
        return 0;
    if (n->op->cost)
        return op_at(n, by)->cost(&(call){.n = n, .attrs = n->attrs, .threads = 1, .kit = by});
    uint64_t bytes = 0;
    for (int k = 0; k < n->n_in; k++)
        bytes += n->in[k] ? plan_tensor_bytes(n->in[k]) : 0;
    for (int k = 0; k < n->n_out; k++)
        bytes += plan_tensor_bytes(n->out[k]);
    return 50 + (double)bytes * 0.05;
}

// A fork and join costs a microsecond where every thread has a core to itself, but a time slice of
// the scheduler where one has not, and a small model forks at every node. Splitting products of 17
// us made harmony_predictor 1.4 times faster on two idle cores (11,700 steps a second against
// 8,000), and 4.5 times slower when the host took one away (1,600 against 7,200): each thread's
// share must be worth the risk.
static int choose_threads(double cost_ns, const plan_options *o)
{
    const double least_share_ns = o->share_ns > 0 ? o->share_ns : 20000;
    int n = (int)(cost_ns / least_share_ns), most = o->threads;
    return n < 1 ? 1 : n > most ? most : n;
}

// Where gradients are added up over several runs, or no weight ever changes, other forms of weights
// outlive a run.
static bool is_once(const planner *q, const node *n)
{
    bool stay = q->o->weights_stay || (q->o->grad_mode == GRAD_ADD && q->o->grads);
    return stay && (n->op->flags & OP_FORM) && n->in[0]->kind == TENSOR_PARAM &&
           !q->o->params->list[n->in[0]->param].buffer;
}

static void make_steps(planner *q)
{
    int most = graph_nodes(q->g) + (q->o->grads ? q->o->params->n : 0) + q->n_writes;
    q->p->steps = NEW(q->a, plan_step, (size_t)most + 1);
    if (q->o->grads)
        add_moves(q, NULL); // gradients that are inputs or constants
    for (int i = 0; i < graph_nodes(q->g); i++) {
        const node *n = graph_node(q->g, i);
        if (!node_needed(q, n))
            continue;
        double cost = plan_node_cost(n, &q->p->kit);
        q->p->steps[q->p->n_steps++] = (plan_step){.node = n,
                                                   .op = op_at(n, &q->p->kit),
                                                   .threads = choose_threads(cost, q->o),
                                                   .once = is_once(q, n),
                                                   .cost_ns = cost};
        add_moves(q, n);
    }
    add_writes(q);
}

static void find_last_uses(planner *q)
{
    q->used = NEW(q->a, int, (size_t)q->n_tensors + 1);
    for (int i = 0; i < q->n_tensors; i++)
        q->used[i] = -1;
    for (int s = 0; s < q->p->n_steps; s++) {
        const plan_step *st = &q->p->steps[s];
        for (int k = 0; st->node && k < st->node->n_in; k++)
            if (st->node->in[k])
                q->used[st->node->in[k]->id] = s;
        if (st->grad)
            q->used[st->grad->id] = s;
    }
}

// ---- Where

static place *place_of(const planner *q, const tensor *t)
{
    return &q->p->places[t->id];
}

// Inputs, parameters and constants have their places before the first step.
static void place_leaves(planner *q)
{
    for (int i = 0; i < q->n_tensors; i++) {
        const tensor *t = graph_tensor(q->g, i);
        place *w = &q->p->places[i];
        *w = (place){.root = i, .first = 0, .last = -1};
        if (t->kind == TENSOR_PARAM)
            w->kind = PLACE_WEIGHTS,
            w->offset = sizeof(float) * (uint64_t)q->o->params->list[t->param].offset;
        else if (t->kind == TENSOR_CONST)
            w->kind = PLACE_CONST;
        else if (t->kind == TENSOR_INPUT)
            w->kind = PLACE_ARENA, w->last = q->p->n_steps;
    }
}

// The input whose bytes output 0 of `n` may take over at step s, or -1.
static int inplace_input(const planner *q, const node *n, int s)
{
    static const unsigned flag[] = {OP_INPLACE0, OP_INPLACE1};
    const tensor *out = n->out[0];
    if (q->o->no_inplace || q->bound[out->id] >= 0)
        return -1;
    for (int k = 0; k < n->n_in; k++) {
        bool allowed = (n->op->flags & OP_INPLACE_ANY) || (k < 2 && (n->op->flags & flag[k]));
        if (!n->in[k])
            continue;
        const place *w = place_of(q, n->in[k]);
        const tensor *root = graph_tensor(q->g, w->root);
        if (allowed && w->kind == PLACE_ARENA && root->kind == TENSOR_COMPUTED &&
            !q->kept[w->root] && q->ends[w->root] <= s &&
            plan_tensor_bytes(root) == plan_tensor_bytes(out) &&
            shape_count(root->shape) == shape_count(out->shape))
            return k;
    }
    return -1;
}

static void join_root(planner *q, const tensor *t, int root)
{
    place *w = place_of(q, t);
    *w = q->p->places[root];
    w->root = root;
    if (q->used[t->id] > q->ends[root])
        q->ends[root] = q->used[t->id];
    q->kept[root] = q->kept[root] || q->kept[t->id];
}

static void place_output(planner *q, const node *n, int k, int s)
{
    const tensor *t = n->out[k];
    place *w = place_of(q, t);
    if (k == 0 && (n->op->flags & OP_VIEW)) {
        join_root(q, t, place_of(q, n->in[0])->root);
        return;
    }
    int from = k == 0 ? inplace_input(q, n, s) : -1;
    if (from >= 0) {
        join_root(q, t, place_of(q, n->in[from])->root);
        return;
    }
    *w = (place){.kind = PLACE_ARENA, .first = q->p->steps[s].once ? 0 : s, .root = t->id};
    q->kept[t->id] = q->kept[t->id] || q->p->steps[s].once;
    q->ends[t->id] = q->used[t->id] > s ? q->used[t->id] : s;
    if (q->bound[t->id] >= 0)
        w->kind = PLACE_GRADS,
        w->offset = sizeof(float) * (uint64_t)q->o->params->list[q->bound[t->id]].goffset;
}

static void place_computed(planner *q)
{
    q->ends = NEW(q->a, int, (size_t)q->n_tensors + 1);
    q->kept = NEW(q->a, bool, (size_t)q->n_tensors + 1);
    for (int i = 0; i < q->n_tensors; i++)
        q->ends[i] = q->used[i];
    for (int i = 0; i < q->o->n_outputs; i++)
        q->kept[q->o->outputs[i]->id] = true;
    for (int s = 0; s < q->p->n_steps; s++)
        for (int k = 0; q->p->steps[s].node && k < q->p->steps[s].node->n_out; k++)
            place_output(q, q->p->steps[s].node, k, s);
    for (int i = 0; i < q->n_tensors; i++) {
        place *w = &q->p->places[i];
        if (w->kind == PLACE_ARENA && w->last < q->p->n_steps)
            w->last = q->kept[w->root] ? q->p->n_steps : q->ends[w->root];
    }
}

static void find_workspace(planner *q)
{
    for (int s = 0; s < q->p->n_steps; s++) {
        const plan_step *st = &q->p->steps[s];
        if (!st->node || !st->op->workspace)
            continue;
        uint64_t bytes = st->op->workspace(&(call){
            .n = st->node, .attrs = st->node->attrs, .threads = st->threads, .kit = &q->p->kit});
        if (bytes > q->p->work_bytes)
            q->p->work_bytes = bytes;
    }
    q->p->work_bytes = (q->p->work_bytes + LINE - 1) / LINE * LINE;
}

plan *plan_make(const graph *g, const plan_options *o, arena *a, err *e)
{
    if (!graph_ok(g, e))
        return NULL;
    for (int i = 0; i < o->n_outputs; i++)
        if (tensor_poisoned(o->outputs[i])) {
            (void)err_set(e, ERR_INTERNAL, "output %d of the plan is not a tensor of the graph", i);
            return NULL;
        }
    // params_layout or params_allocate came first
    CHECK(!o->params || !o->params->n || o->params->weights_len);
    plan *p = NEW(a, plan, 1);
    p->graph = g;
    p->options = *o;
    if (o->kit)
        p->kit = *o->kit;
    else if (!kit_choose(&p->kit, e))
        return NULL;
    p->options.kit = &p->kit;
    planner q = {.g = g, .o = &p->options, .p = p, .a = a, .n_tensors = graph_tensors(g)};
    q.writes = graph_writes(g, &q.n_writes);
    CHECK(!q.n_writes || o->params);
    p->places = NEW(a, place, (size_t)q.n_tensors + 1);
    mark_needed(&q);
    bind_gradients(&q);
    make_steps(&q);
    find_last_uses(&q);
    place_leaves(&q);
    place_computed(&q);
    plan_find_offsets(p, a);
    find_workspace(&q);
    return p;
}

uint64_t plan_bytes(const plan *p)
{
    return p->arena_bytes + p->work_bytes;
}
