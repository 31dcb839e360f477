// SPDX-License-Identifier: GPL-3.0-or-later
// groups.c: a few nodes a group (groups.h): its logits, targets and weights cut out, and a loss
// over them as any classifier has it.
#include "models/groups.h"

#include <string.h>

#include "models/layer.h"

int model_find_group(const model_def *m, const char *name)
{
    for (int k = 0; k < m->n_groups; k++)
        if (!strcmp(m->groups[k].name, name))
            return k;
    return -1;
}

// Column k of [B, G]: [B].
static tensor *column(network *n, tensor *x, int k)
{
    return op_squeeze(n->g, op_slice(n->g, x, 1, k, 1), 1);
}

static tensor *logits_of(network *n, tensor *logits, const model_group *q)
{
    return op_slice(n->g, logits, 1, q->offset, q->size);
}

tensor *groups_loss(network *n, tensor *logits)
{
    tensor *sum = NULL;
    for (int k = 0; k < n->model->n_groups; k++) {
        const model_group *q = &n->model->groups[k];
        tensor *one =
            op_cross_entropy(n->g, logits_of(n, logits, q), column(n, n->target, k),
                             column(n, n->weight, k), q->smoothing * n->dims.label_smoothing);
        one = op_scale(n->g, one, q->weight);
        sum = sum ? op_add(n->g, sum, one) : one;
    }
    return sum;
}

tensor *groups_agreement(network *n, tensor *logits, const char *coarse, const char *fine)
{
    int c = model_find_group(n->model, coarse), f = model_find_group(n->model, fine);
    if (c < 0 || f < 0 || n->model->groups[f].size % n->model->groups[c].size)
        return graph_fail(n->g, "'%s' are no parts of '%s'", fine, coarse);
    const model_group *p = &n->model->groups[c], *q = &n->model->groups[f];
    tensor *whole = op_softmax(n->g, logits_of(n, logits, p)),
           *parts = op_softmax(n->g, logits_of(n, logits, q));
    shape s = shape_of(3, logits->shape.d[0], p->size, q->size / p->size);
    parts = op_sum(n->g, op_reshape(n->g, parts, s), 1u << 2, false); // [B, C, F / C] -> [B, C]
    return op_mse(n->g, whole, parts, column(n, n->weight, c));
}

// Side by side; a node takes a few at a time (OP_IN_MAX of op.h).
static tensor *join(network *n, tensor *const part[], int count)
{
    enum { MOST = 8 };
    tensor *all[MOST] = {part[0]};
    int used = 1;
    for (int k = 1; k < count; k++) {
        if (used == MOST)
            all[0] = op_concat(n->g, 1, used, all), used = 1;
        all[used++] = part[k];
    }
    return used > 1 ? op_concat(n->g, 1, used, all) : all[0];
}

tensor *model_probabilities(network *n)
{
    const model_def *m = n->model;
    tensor *parts[MODEL_GROUPS] = {0};
    if (!m->n_groups)
        return op_softmax(n->g, n->logits);
    CHECK(m->n_groups <= MODEL_GROUPS);
    for (int k = 0; k < m->n_groups; k++)
        parts[k] = op_softmax(n->g, logits_of(n, n->logits, &m->groups[k]));
    return join(n, parts, m->n_groups);
}
