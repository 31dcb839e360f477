// SPDX-License-Identifier: GPL-3.0-or-later
// layer_adapter.c: what adapters (network.h) make of a layer. Their factors are parameters of their
// own beside its weight: A as torch.nn.Linear would draw it, B zero, so that a network begins as
// what it was without them.
//
// A convolution's adapter is two (PEFT's lora.Conv2d): A as large as the convolution's own windows,
// to `rank` channels, and B of one pixel, from those to the outputs. All else is as of linear
// layers: below, x W^T is the layer's product, whichever it is.
#include <math.h>
#include <string.h>

#include "models/layer_internal.h"

enum { ADAPTERS = 64 }; // of one weight at most

// The first adapter of `w` behind `last` (NULL: of all), or NULL.
static const adapter_site *next_site(const network *n, const tensor *w, const adapter_site *last)
{
    const adapters *l = n->dims.adapters;
    for (int i = last ? (int)(last - l->site) + 1 : 0; l && i < l->n; i++)
        if (!strcmp(l->site[i].weight, w->name))
            return &l->site[i];
    return NULL;
}

static void factors(network *n, const adapter_site *s, const tensor *w, tensor **a, tensor **b)
{
    shape sa = adapter_a(w->shape, s->rank);
    float k = 1.0f / sqrtf((float)(shape_count(sa) / s->rank));
    *a = layer_declare(n, s->a, sa, (init){INIT_UNIFORM, k}, true);
    *b = layer_declare(n, s->b, adapter_b(w->shape, s->rank), (init){INIT_ZERO, 0}, true);
}

tensor *layer_adapt_weight(network *n, tensor *w)
{
    const tensor *own = w;
    for (const adapter_site *s = NULL; (s = next_site(n, own, s));) {
        tensor *a, *b;
        factors(n, s, own, &a, &b);
        w = op_addmm(n->g, w, op_scale(n->g, b, s->scale), a, false);
    }
    return w;
}

// ---- Layers that are products of their input

typedef struct site_product {
    const adapter_site *s;
    tensor *x;       // what it hears: the layer's input, dropped out
    tensor *low, *b; // scale x A^T [.., rank] and B [O, rank]
    tensor *gain;    // DoRA: [O], else NULL
} site_product;

// x W^T; of a convolution its filters are read, bias and factor as op_conv2d takes them.
static tensor *product(network *n, tensor *x, tensor *w, const window *at, tensor *bias,
                       tensor *factor, activation act)
{
    return at ? op_conv2d(n->g, (tensor *[]){x, w, bias, factor}, at->stride, at->padding, act)
              : op_linear(n->g, x, w, bias, act);
}

// m / |W + scale B A|, m as long as W has rows. It begins as those rows' lengths (lora_begin), so
// that it is 1.
static tensor *gain_of(network *n, const adapter_site *s, tensor *w, tensor *a, tensor *b)
{
    shape one = shape_of(1, w->shape.d[0]);
    tensor *m = layer_declare(n, s->m, adapter_m(w->shape), (init){INIT_ONE, 0}, true);
    return op_row_gain(n->g, (tensor *[]){op_reshape(n->g, m, one), w, a, b}, s->scale);
}

// The scale is put on the product of rank columns, the smallest of them all.
static site_product site_low(network *n, const adapter_site *s, tensor *x, tensor *w,
                             const window *at)
{
    tensor *a;
    site_product p = {.s = s, .x = op_dropout(n->g, x, n->dims.training ? s->dropout : 0, s->a, 0)};
    factors(n, s, w, &a, &p.b);
    p.low = product(n, p.x, at ? op_filters(n->g, a) : a, at, NULL, NULL, ACT_NONE);
    p.low = op_scale(n->g, p.low, s->scale);
    if (at)
        p.b = op_reshape(n->g, p.b, shape_of(2, w->shape.d[0], s->rank));
    p.gain = s->m ? gain_of(n, s, w, a, p.b) : NULL;
    return p;
}

static tensor *raised(network *n, const site_product *p, tensor *y)
{
    return op_addmm(n->g, y, p->low, p->b, true);
}

// DoRA beside a product that is there: share (gain (x W^T + low B^T) - x W^T), where x is dropped
// out in both places, as in PEFT.
static tensor *difference(network *n, const site_product *p, tensor *w, const window *at)
{
    tensor *z = product(n, p->x, w, at, NULL, NULL, ACT_NONE);
    tensor *d = op_sub(n->g, op_mul(n->g, raised(n, p, z), p->gain), z);
    return p->s->share == 1 ? d : op_scale(n->g, d, p->s->share);
}

// One adapter by DoRA that hears what the layer hears: gain (x W^T + low B^T) + b, of one product.
static tensor *gained(network *n, const site_product *p, tensor *w, const window *at,
                      const layer_terms *t)
{
    tensor *gain = t->factor ? op_mul(n->g, p->gain, t->factor) : p->gain;
    tensor *y = raised(n, p, product(n, p->x, w, at, NULL, NULL, ACT_NONE));
    y = op_mul(n->g, y, gain);
    return t->bias ? op_add(n->g, y, t->bias) : y;
}

static tensor *added(network *n, const site_product *p, int k, tensor *x, tensor *w,
                     const window *at, const layer_terms *t)
{
    tensor *y = product(n, x, w, at, t->factor ? NULL : t->bias, NULL, ACT_NONE);
    for (int i = 0; i < k; i++)
        y = p[i].gain ? op_add(n->g, y, difference(n, &p[i], w, at)) : raised(n, &p[i], y);
    return t->factor ? op_add(n->g, op_mul(n->g, y, t->factor), t->bias) : y;
}

// An activation stands in the product's own node where nothing comes between. The products of
// adapters come first, so that going backward the base's own gradient is done with before theirs
// needs room.
tensor *layer_adapted(network *n, tensor *x, tensor *w, const window *at, const layer_terms *t)
{
    site_product p[ADAPTERS];
    int k = 0;
    for (const adapter_site *s = NULL; (s = next_site(n, w, s)); k++) {
        if (k == ADAPTERS)
            return graph_fail(n->g, "'%s' has more than %d adapters", w->name, ADAPTERS);
        p[k] = site_low(n, s, x, w, at);
    }
    tensor *f = at ? op_filters(n->g, w) : w, *y;
    if (!k)
        return product(n, x, f, at, t->bias, t->factor, t->act);
    if (k == 1 && p->gain && p->x == x && p->s->share == 1)
        y = gained(n, p, f, at, t);
    else
        y = added(n, p, k, x, f, at, t);
    return t->act == ACT_NONE ? y : op_act(n->g, y, t->act);
}
