// SPDX-License-Identifier: GPL-3.0-or-later
// layer_picture.c: torch.nn.Conv2d, alone and below a torch.nn.BatchNorm2d, of pictures with their
// channels last.
//
// An adapter of a convolution is two (PEFT's lora.Conv2d): A as large as the convolution's own
// windows, to `rank` channels, and B of one pixel, from those to the outputs. While adapters are
// trained, a norm goes by the running statistics that the base has, and moves none of them.
#include <math.h>

#include "models/layer_internal.h"

typedef struct conv_weights {
    tensor *f, *b; // [O, I, kernel, kernel], [O]
} conv_weights;

static conv_weights declare_conv(network *n, const char *name, const tensor *x, int64_t out,
                                 window w)
{
    int64_t in = layer_width(x);
    float k = 1.0f / sqrtf((float)(in * w.kernel * w.kernel));
    tensor *f =
        layer_declare_uniform(n, name, "weight", shape_of(4, out, in, w.kernel, w.kernel), k);
    return (conv_weights){f, layer_declare_uniform(n, name, "bias", shape_of(1, out), k)};
}

// scale (dropout(x) * A) * B of each adapter, put down for y to begin with; how many there are.
static int low_rank(network *n, tensor *x, const tensor *w, window at, tensor *low[], tensor *up[])
{
    int k = 0;
    for (const adapter_site *s = NULL; (s = layer_next_site(n, w, s)) && k < ADAPTERS; k++) {
        tensor *a, *b;
        layer_factors(n, s, w, &a, &b);
        tensor *dropped = op_dropout(n->g, x, n->dims.training ? s->dropout : 0, s->a, 0);
        tensor *in[] = {dropped, op_filters(n->g, a), NULL, NULL};
        low[k] = op_scale(n->g, op_conv2d(n->g, in, at.stride, at.padding, ACT_NONE), s->scale);
        up[k] = op_reshape(n->g, b, shape_of(2, w->shape.d[0], s->rank));
    }
    return k;
}

// The convolution, its adapters, and act(factor y + bias): what nothing comes between is one node.
static tensor *call_conv(network *n, const char *name, tensor *x, tensor *w, window at,
                         tensor *const bias_factor[2], activation act)
{
    tensor *low[ADAPTERS], *up[ADAPTERS], *bias = bias_factor[0], *factor = bias_factor[1];
    layer_info *l = layer_note(n, LAYER_CONV, name, w);
    int k = low_rank(n, x, w, at, low, up);
    tensor *f = op_filters(n->g, w);
    if (!k)
        return l->y = op_conv2d(n->g, (tensor *[]){x, f, bias, factor}, at.stride, at.padding, act);
    tensor *y = op_conv2d(n->g, (tensor *[]){x, f, factor ? NULL : bias, NULL}, at.stride,
                          at.padding, ACT_NONE);
    for (int i = 0; i < k; i++)
        y = op_addmm(n->g, y, low[i], up[i], true);
    if (factor)
        y = op_add(n->g, op_mul(n->g, y, factor), bias);
    return l->y = act == ACT_NONE ? y : op_act(n->g, y, act);
}

tensor *layer_conv2d(network *n, const char *name, tensor *x, int64_t out, window w, activation act)
{
    if (tensor_poisoned(x))
        return x;
    conv_weights c = declare_conv(n, name, x, out, w);
    return tensor_poisoned(c.f) ? c.f : call_conv(n, name, x, c.f, w, (tensor *[]){c.b, NULL}, act);
}

// torch.nn.BatchNorm2d: weight, bias, running mean and variance, in the order of batch_norm's
// inputs behind x; and how many batches they have seen.
enum { NORM_TENSORS = 4 };
static tensor *declare_norm(network *n, const char *name, int64_t width, tensor *norm[NORM_TENSORS])
{
    const shape s = shape_of(1, width);
    norm[0] = layer_declare_as(n, name, "weight", s, (init){INIT_ONE, 0});
    norm[1] = layer_declare_as(n, name, "bias", s, (init){INIT_ZERO, 0});
    norm[2] = layer_buffer(n, layer_name(n, "%s.running_mean", name), s, (init){INIT_ZERO, 0});
    norm[3] = layer_buffer(n, layer_name(n, "%s.running_var", name), s, (init){INIT_ONE, 0});
    return layer_buffer(n, layer_name(n, "%s.num_batches_tracked", name), shape_of(0),
                        (init){INIT_ZERO, 0});
}

// By the batch's own statistics, which move the running ones.
static tensor *norm_batch(network *n, tensor *y, tensor *const norm[NORM_TENSORS], tensor *seen,
                          tensor *shift, activation act)
{
    const float one = 1;
    tensor *z =
        op_batch_norm(n->g, (tensor *[]){y, norm[0], norm[1], norm[2], norm[3]}, shift, act);
    if (tensor_poisoned(z))
        return z;
    layer_keep(n, norm[2], z->from->out[2]);
    layer_keep(n, norm[3], z->from->out[3]);
    layer_keep(n, seen, op_add(n->g, seen, graph_const(n->g, DT_F32, shape_of(0), &one)));
    return z;
}

tensor *layer_conv_norm(network *n, const char *name, tensor *x, int64_t out, window w,
                        activation act)
{
    tensor *norm[NORM_TENSORS], *offset;
    if (tensor_poisoned(x))
        return x;
    const char *conv = layer_name(n, "%s.conv", name);
    conv_weights c = declare_conv(n, conv, x, out, w);
    tensor *seen = declare_norm(n, layer_name(n, "%s.norm", name), out, norm);
    if (tensor_poisoned(c.f))
        return c.f;
    if (n->dims.training && !n->dims.adapters) {
        tensor *y = call_conv(n, conv, x, c.f, w, (tensor *[]){NULL, NULL}, ACT_NONE);
        return norm_batch(n, y, norm, seen, c.b, act);
    }
    tensor *factor = op_norm_factors(n->g, norm, c.b, &offset);
    return call_conv(n, conv, x, c.f, w, (tensor *[]){offset, factor}, act);
}
