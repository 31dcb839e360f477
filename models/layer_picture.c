// SPDX-License-Identifier: GPL-3.0-or-later
// layer_picture.c: torch.nn.Conv2d, alone and below a torch.nn.BatchNorm2d, of pictures with their
// channels last.
//
// While adapters are trained, a norm goes by the running statistics that the base has, and moves
// none of them.
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

static tensor *call_conv(network *n, const char *name, tensor *x, tensor *w, window at,
                         const layer_terms *t)
{
    layer_info *l = layer_note(n, LAYER_CONV, name, w);
    return l->y = layer_adapted(n, x, w, &at, t);
}

tensor *layer_conv2d(network *n, const char *name, tensor *x, int64_t out, window w, activation act)
{
    if (tensor_poisoned(x))
        return x;
    conv_weights c = declare_conv(n, name, x, out, w);
    return tensor_poisoned(c.f) ? c.f
                                : call_conv(n, name, x, c.f, w, &(layer_terms){c.b, NULL, act});
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
        tensor *y = call_conv(n, conv, x, c.f, w, &(layer_terms){0});
        return norm_batch(n, y, norm, seen, c.b, act);
    }
    tensor *factor = op_norm_factors(n->g, norm, c.b, &offset);
    return call_conv(n, conv, x, c.f, w, &(layer_terms){offset, factor, act});
}
