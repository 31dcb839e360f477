// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_forms.h: which convolutions go by squares of outputs (conv_quads.h), and the form of their
// filters that is made once where weights stay (filters_quads.c).
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_FORMS_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_FORMS_H

#include "autograd/ops/conv2d_bands.h"
#include "autograd/ops/conv_quads_filters.h"

enum { QUADS_LEAST = 32 }; // squares of a picture that pay for a form of their own

// Of what stands at IN_QUADS, if anything does.
static bool form_fits(const node *n, const conv *v, err *e)
{
    char a[64], b[64];
    const tensor *f = n->in[IN_QUADS];
    return !f ||
           (quads_shaped(v) && f->type == DT_F32 &&
            (size_t)shape_count(f->shape) == quad_filters(v->c, v->o)) ||
           rule_fail(e, "filters of squares %s do not fit filters %s", shape_text(f->shape, a),
                     shape_text(n->in[IN_F]->shape, b));
}

// Filters may come in that form, made once of weights that stay (filters_quads.c).
static bool kept_filters(const call *c)
{
    return c->n->in[IN_QUADS];
}

// What it costs to make that form must come back: of few squares of a picture it does where the
// form is kept, however many pictures there are.
static bool in_quads(const call *c, const conv *v)
{
    return quads_fit(c, v) && (kept_filters(c) || v->oh * v->ow >= 4 * QUADS_LEAST);
}

// Where weights stay, the same node with its filters in the form that squares multiply by.
static tensor *formed(graph *g, const node *n)
{
    const node *made = n->in[IN_F]->from;
    conv v = conv_at(n);
    if (!quads_shaped(&v) || n->in[IN_X]->type != DT_F32 || n->in[IN_QUADS] || !made ||
        made->op != op_get(OP_filters) || made->in[0]->kind != TENSOR_PARAM)
        return NULL;
    return graph_add(g, OP_conv2d, n->attrs, sizeof(conv_attrs), INPUTS,
                     (tensor *[]){n->in[IN_X], n->in[IN_F], n->in[IN_BIAS], n->in[IN_FACTOR],
                                  op_filters_quads(g, made->in[0])});
}

#endif
