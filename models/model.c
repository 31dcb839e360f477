// SPDX-License-Identifier: GPL-3.0-or-later
// model.c: from a model_def to a graph: inputs, forward, probe, loss, gradients; and the table of
// models.
#include "models/layer.h"

#include <string.h>

#include "autograd/op.h"
#include "base/str.h"

#define MODEL(name) extern const model_def model_##name;
#include "models/models.def"
#undef MODEL

static const model_def *const models[] = {
#define MODEL(name) &model_##name,
#include "models/models.def"
#undef MODEL
};

enum { N_MODELS = (int)(sizeof models / sizeof *models) };

int model_count(void)
{
    return N_MODELS;
}

const model_def *model_making(model_makes what)
{
    for (int i = 0; i < N_MODELS; i++)
        if (models[i]->makes == what)
            return models[i];
    return NULL;
}
const model_def *model_at(int i)
{
    return i >= 0 && i < N_MODELS ? models[i] : NULL;
}

const model_def *model_find(const char *name)
{
    for (int i = 0; i < N_MODELS; i++)
        if (!strcmp(models[i]->name, name))
            return models[i];
    for (const model_def *const *m = model_guests; *m; m++)
        if (!strcmp((*m)->name, name))
            return *m;
    return NULL;
}

const model_def *model_named(const char *name, err *e)
{
    const model_def *found = model_find(name);
    const char *names[N_MODELS];
    for (int i = 0; i < N_MODELS; i++)
        names[i] = models[i]->name;
    const char *near = found ? NULL : str_nearest(name, names, N_MODELS);
    if (!found)
        (void)err_set(e, ERR_USAGE, "there is no model '%s'; %s%s%s", name,
                      near ? "did you mean '" : "see 'kmidi models'", near ? near : "",
                      near ? "'?" : "");
    return found;
}

const port *model_mel(const model_def *m)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, "mel"))
            return &m->inputs[i];
    return NULL;
}

// [B, T, bands], or as a picture [B, 1, bands, T]
int64_t model_bands(const port *mel)
{
    return mel->dim[2];
}

int64_t model_frames(const port *mel)
{
    return mel->dim[mel->rank == 4 ? 3 : 1];
}

static shape port_shape(const port *q, const model_dims *d)
{
    shape s = {.rank = q->rank};
    for (int i = 0; i < q->rank; i++) {
        s.sym[i] = q->sym[i];
        s.d[i] = q->sym[i] == SYM_BATCH ? d->batch : q->sym[i] == SYM_TIME ? d->time : q->dim[i];
    }
    return s;
}

// The probe is a part of training alone: a checkpoint holds it, the model's count and exports do
// not.
static tensor *add_probe(network *n)
{
    int before = n->p->n, layers = n->n_layers;
    tensor *logits = layer_linear(n, "probe", n->out, n->dims.classes, ACT_NONE);
    for (int i = before; i < n->p->n; i++)
        n->p->list[i].counted = false, n->p->list[i].trainable = true;
    n->n_layers = layers;
    return logits;
}

// One weight a row of the loss: an item, or a token where the target has a time axis of its own; a
// class of an item where there are groups.
static shape weight_shape(const network *n)
{
    shape s = port_shape(&n->model->target, &n->dims);
    if (n->model->target.type == DT_F32)
        s.rank = 1;
    return s;
}

static void add_targets(network *n, const char *target, const char *weight)
{
    n->target =
        graph_input(n->g, target, n->model->target.type, port_shape(&n->model->target, &n->dims));
    n->weight = graph_input(n->g, weight, DT_F32, weight_shape(n));
}

// A row that is mixed of two items has the loss of both, by the weights that it gives to them.
static tensor *add_other(network *n, tensor *loss)
{
    tensor *target = n->target, *weight = n->weight;
    add_targets(n, "other_target", "other_weight");
    tensor *other = n->model->loss(n, n->logits);
    n->other_target = n->target, n->other_weight = n->weight;
    n->target = target, n->weight = weight;
    return op_add(n->g, loss, other);
}

static void add_loss(network *n)
{
    add_targets(n, "target", "weight");
    if (n->model->affect && n->dims.affect_weight > 0)
        n->affect = graph_input(n->g, "emotion", DT_F32, shape_of(2, n->dims.batch, 64));
    n->scale = graph_input(n->g, "scale", DT_F32, shape_of(0));
    n->loss_sum = n->model->loss(n, n->logits);
    if (n->dims.mixed)
        n->loss_sum = add_other(n, n->loss_sum);
    n->loss = op_mul(n->g, n->loss_sum, n->scale);
}

static void add_gradients(network *n)
{
    arena *a = graph_arena(n->g);
    tensor **wrt = NEW(a, tensor *, (size_t)n->p->n + 1),
           **grads = NEW(a, tensor *, (size_t)n->p->n + 1);
    int *index = NEW(a, int, (size_t)n->p->n + 1), k = 0;
    for (int i = 0, end = graph_tensors(n->g); i < end; i++) {
        tensor *t = graph_tensor(n->g, i);
        if (t->kind == TENSOR_PARAM && n->p->list[t->param].trainable)
            index[k] = t->param, wrt[k++] = t;
    }
    graph_gradient(n->g, n->loss, wrt, k, grads);
    n->grads = NEW(a, tensor *, (size_t)n->p->n + 1);
    for (int i = 0; i < k; i++)
        n->grads[index[i]] = grads[i];
}

static void add_inputs(network *n)
{
    const model_def *m = n->model;
    for (int i = 0; i < m->n_inputs; i++) {
        const port *q = &m->inputs[i];
        if (n->dims.form == (q->once ? FORM_REST : FORM_ONCE))
            continue;
        n->in[i] = graph_input(n->g, q->name, q->type, port_shape(q, &n->dims));
    }
}

static void add_layers(network *n)
{
    const model_def *m = n->model;
    bool whole = n->dims.form == FORM_WHOLE;
    add_inputs(n);
    if (!whole && !m->step)
        (void)graph_fail(n->g, "it keeps no past, so there is no step behind one");
    n->out = whole || !m->step ? m->forward(n, n->in) : m->step(n, n->in);
    if (n->dims.form == FORM_ONCE)
        return;
    graph_name(n->g, n->out, m->output.name);
    n->logits = m->probe && n->dims.classes > 0 ? add_probe(n) : n->out;
}

static network *open_network(const model_def *m, params *p, const model_dims *d, arena *a)
{
    network *n = NEW(a, network, 1);
    *n = (network){
        .model = m, .dims = *d, .g = graph_open(a), .p = p, .sizes = model_sizes_of(m, a)};
    return n;
}

network *model_build(const model_def *m, params *p, const model_dims *d, arena *a, err *e)
{
    network *n = open_network(m, p, d, a);
    add_layers(n);
    if (d->training) {
        add_loss(n);
        add_gradients(n);
    }
    if (!graph_ok(n->g, e)) {
        (void)err_trail(e, "model %s, batch %lld, length %lld", m->name, (long long)d->batch,
                        (long long)d->time);
        return NULL;
    }
    bool all = d->form == FORM_WHOLE || d->form == FORM_STEP;
    if (all && m->params && params_count(p, false) != m->params) {
        (void)err_set(e, ERR_INTERNAL, "model %s has %lld parameters, %lld were built", m->name,
                      (long long)m->params, (long long)params_count(p, false));
        return NULL;
    }
    return n;
}

bool model_caches(const model_def *m)
{
    arena a = {.name = "caches"};
    const model_dims step = {.batch = 1, .time = 1, .form = FORM_STEP};
    const network *n = m->step ? model_build(m, params_open(&a), &step, &a, NULL) : NULL;
    bool any = false;
    for (int i = 0; n && i < n->n_states; i++)
        any = any || n->state[i].past;
    arena_free(&a);
    return any;
}

int64_t model_flops(const model_def *m, const model_dims *d)
{
    arena a = {.name = "flops"};
    model_dims one = *d;
    one.training = true;
    double flops = 0;
    const network *n = model_build(m, params_open(&a), &one, &a, NULL);
    for (int i = 0; n && i < graph_nodes(n->g); i++) {
        const node *q = graph_node(n->g, i);
        flops += q->op->flops ? q->op->flops(q) : 0;
    }
    arena_free(&a);
    return (int64_t)flops;
}
