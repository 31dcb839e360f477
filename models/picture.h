// SPDX-License-Identifier: GPL-3.0-or-later
// picture.h: sizes of networks that look at a spectrogram as a picture: the picture's, and how many
// channels their first block has (the next ones twice as many each).
#ifndef KMIDI_MODELS_PICTURE_H
#define KMIDI_MODELS_PICTURE_H

#include "models/layer.h"

typedef struct picture_sizes {
    int64_t bands, frames, width;
} picture_sizes;

// Rows of a model's options; a picture smaller than 16 x 16 is used up before the last block.
#define PICTURE_SIZE(member) CONFIG_INT, KEY_AT(picture_sizes, member)
#define PICTURE_OPTIONS(section, model)                                                            \
    {section, CONFIG_SECTION,                                                                      \
     .help = model ": its sizes; with init_from or lora.base and none given, that model's. "       \
                   "Defaults are the reference's"},                                                \
        {section ".bands", PICTURE_SIZE(bands), .min = 16,                                         \
         .max = 512,       .own = "128",        .help = "128: mel bands of the picture"},          \
        {section ".frames", PICTURE_SIZE(frames), .min = 16,                                       \
         .max = 4096,       .own = "128",         .help = "128: frames of the picture"},           \
    {                                                                                              \
        section ".width", PICTURE_SIZE(width),                                                     \
            .min = 1, .max = 512, .own = "64",                                                     \
            .help = "64: channels of the first block, half of the next one's"                      \
    }
// The input "mel" [B, 1, bands, frames].
#define PICTURE_INPUT                                                                              \
    {                                                                                              \
        .name = "mel", .type = DT_F32, .rank = 4, .dim = {0, 1, 128, 128}, .sym = {SYM_BATCH},     \
        .of = {                                                                                    \
            [2] = "bands",                                                                         \
            [3] = "frames"                                                                         \
        }                                                                                          \
    }

// Channels last: of one channel that is the same bytes.
static inline tensor *picture_in(network *n, tensor *mel)
{
    const shape *s = &mel->shape;
    return op_reshape(n->g, mel, shape_of(4, s->d[0], s->d[2], s->d[3], 1));
}

// Four blocks NAME.0 .. 3, the first by `first`, the others 3 x 3 in steps of two.
static inline tensor *picture_blocks(network *n, const char *name, tensor *x, window first)
{
    const window next = {3, 2, 1};
    for (int64_t i = 0; i < 4; i++)
        x = layer_conv_norm(n, layer_name(n, "%s.%lld", name, (long long)i), x,
                            model_size(n, "width") << i, i ? next : first, ACT_RELU);
    return x;
}

#endif
