// SPDX-License-Identifier: GPL-3.0-or-later
// spectocloud_vit.c: log-mel [B, 1, 128, 64], emotion [B, 64], statistics of the notes [B, 32] -> a
// cloud of points [B, 1200, 10]: x, y, z; red, green, blue, alpha in (0, 1); size, glow, depth.
//
// A small Swin transformer (Liu et al. 2021) over the spectrogram: squares of 4 x 4 become tokens
// of a map 32 x 16, and four stages of blocks look at each other within windows of 4 x 4, every
// other block shifted by half a window; between stages squares of four tokens become one of twice
// the width. The mean of the last map and what was heard of emotion and notes make the points. A
// map is always [B, H, W, C], bands x time: windows are cut inside of the attention
// (ops/window_attention.c), so all else is products over tokens. Width and depth are options, as
// Swin's family has them: a head is 32 wide, and the third stage is the one that is deeper in
// larger networks; the defaults are the reference's 12,788,396 parameters. Smaller ones draw a
// cloud within a frame of film.
//
// Loss (docs/spectocloud.md): 1.0 Chamfer of the places + 0.5 MSE of the colours + 0.3 smooth L1 of
// the rest, points compared by index, which is time.
#include "models/layer.h"

enum { STAGES = 4, DEEP = 2, PLAIN_DEPTH = 2, HEAD = 32, WINDOW = 4, POINTS = 1200, NUMBERS = 10 };

typedef struct spectocloud_sizes {
    int64_t dim, depth;
} spectocloud_sizes;

#define SIZE(member) CONFIG_INT, KEY_AT(spectocloud_sizes, member)
static const config_key options[] = {
    {"spectocloud", CONFIG_SECTION,
     .help = "spectocloud_vit: its sizes; with init_from or lora.base and none given, that "
             "model's. Defaults are the reference's"},
    {"spectocloud.dim", SIZE(dim), .min = HEAD, .max = 1024, .own = "64",
     .help = "64: width of the first of four stages, each twice as wide as the one before; a "
             "multiple of 32, the width of a head"},
    {"spectocloud.depth", SIZE(depth), .min = 1, .max = 32, .own = "4",
     .help = "4: blocks of the third stage; the others have 2"},
};

static tensor *project(network *n, const char *name, const char *which, tensor *x)
{
    return layer_linear(n, layer_name(n, "%s.%s", name, which), x, x->shape.d[3], ACT_NONE);
}

// x [B, H, W, C] within windows; where the map is no larger than one, there is no shift.
static tensor *look_around(network *n, const char *name, tensor *x, tensor *bias, int of_heads,
                           window_cut cut)
{
    tensor *qkv_bias[] = {project(n, name, "q_proj", x), project(n, name, "k_proj", x),
                          project(n, name, "v_proj", x), bias};
    return project(n, name, "out_proj", op_window_attention(n->g, qkv_bias, of_heads, cut));
}

static tensor *block(network *n, const char *name, tensor *x, int of_heads, int shift)
{
    int64_t h = x->shape.d[1], w = x->shape.d[2], c = x->shape.d[3];
    window_cut cut = {h < WINDOW ? (int)h : WINDOW, w < WINDOW ? (int)w : WINDOW,
                      h > WINDOW ? shift : 0, w > WINDOW ? shift : 0};
    tensor *bias =
        layer_parameter(n, layer_name(n, "%s.rel_bias", name),
                        shape_of(2, (2 * cut.high - 1) * (2 * cut.wide - 1), of_heads), 0.02f);
    tensor *y = layer_layer_norm(n, layer_name(n, "%s.norm1", name), x);
    x = op_add(n->g, x, look_around(n, name, y, bias, of_heads, cut));
    y = layer_layer_norm(n, layer_name(n, "%s.norm2", name), x);
    y = layer_linear(n, layer_name(n, "%s.fc1", name), y, 4 * c, ACT_GELU);
    return op_add(n->g, x, layer_linear(n, layer_name(n, "%s.fc2", name), y, c, ACT_NONE));
}

// [B, H, W, C] -> [B, H / 2, W / 2, 2 C]
static tensor *merge(network *n, int stage, tensor *x)
{
    const char *name = layer_name(n, "merges.%d", stage);
    x = layer_layer_norm(n, layer_name(n, "%s.norm", name), op_patch_merge(n->g, x));
    return layer_product(n, layer_name(n, "%s.reduce", name), x, x->shape.d[3] / 2);
}

// Channels of a stage, of which a head looks at 32.
static int64_t width_of(const network *n, int stage)
{
    return model_size(n, "dim") << stage;
}

static int64_t depth_of(const network *n, int stage)
{
    return stage == DEEP ? model_size(n, "depth") : PLAIN_DEPTH;
}

// [B, 1, 128, 64] -> the mean over the last map [B, 8 dim]
static tensor *see(network *n, tensor *mel)
{
    const int64_t *d = mel->shape.d;
    tensor *x = op_reshape(n->g, mel, shape_of(4, d[0], d[2], d[3], 1));
    x = layer_conv2d(n, "patch_embed", x, width_of(n, 0), (window){.kernel = 4, .stride = 4},
                     ACT_NONE);
    x = layer_layer_norm(n, "patch_norm", x);
    for (int i = 0; i < STAGES; i++) {
        int heads = (int)(width_of(n, i) / HEAD);
        for (int k = 0; k < depth_of(n, i) && !tensor_poisoned(x); k++)
            x = block(n, layer_name(n, "stages.%d.%d", i, k), x, heads, k % 2 ? WINDOW / 2 : 0);
        if (i < STAGES - 1 && !tensor_poisoned(x))
            x = merge(n, i, x);
    }
    x = layer_layer_norm(n, "norm", x);
    float share = tensor_poisoned(x) ? 1 : 1.0f / (float)(x->shape.d[1] * x->shape.d[2]);
    return op_scale(n->g, op_sum(n->g, x, 1u << 1 | 1u << 2, false), share);
}

// Numbers [begin, begin + count) of each point.
static tensor *numbers(network *n, tensor *cloud, int64_t begin, int64_t count)
{
    return op_slice(n->g, cloud, 2, begin, count);
}

static tensor *forward(network *n, tensor *const in[])
{
    if (model_size(n, "dim") % HEAD)
        return graph_fail(n->g, "dim %lld is not a multiple of %d, the width of a head",
                          (long long)model_size(n, "dim"), HEAD);
    tensor *x = see(n, in[0]),
           *c = layer_linear(n, "condition", op_concat(n->g, 1, 2, in + 1), 256, ACT_GELU);
    c = layer_layer_norm(n, "condition_norm", c);
    x = op_concat(n->g, 1, 2, (tensor *[]){x, c});
    x = layer_linear(n, "fc1", x, 512, ACT_GELU);
    x = layer_linear(n, "fc2", x, 256, ACT_GELU);
    x = layer_linear(n, "fc3", x, 128, ACT_GELU);
    x = layer_linear(n, "points", x, POINTS * NUMBERS, ACT_NONE);
    x = op_reshape(n->g, x, shape_of(3, n->dims.batch, POINTS, NUMBERS));
    return op_concat(n->g, 2, 3,
                     (tensor *[]){numbers(n, x, 0, 3),
                                  op_act(n->g, numbers(n, x, 3, 4), ACT_SIGMOID),
                                  numbers(n, x, 7, 3)});
}

static tensor *loss(network *n, tensor *out)
{
    tensor *t = n->target, *w = n->weight,
           *places = op_chamfer(n->g, numbers(n, out, 0, 3), numbers(n, t, 0, 3), w),
           *colours = op_mse(n->g, numbers(n, out, 3, 4), numbers(n, t, 3, 4), w),
           *rest = op_smooth_l1(n->g, numbers(n, out, 7, 3), numbers(n, t, 7, 3), w);
    return op_add(n->g, places,
                  op_add(n->g, op_scale(n->g, colours, 0.5f), op_scale(n->g, rest, 0.3f)));
}

const model_def model_spectocloud_vit = {
    .name = "spectocloud_vit",
    .summary = "log-mel, emotion and statistics of the notes -> a cloud of points",
    .params = 12788396,
    .task = TASK_CLOUDS,
    .example = "cloud",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .sizes_bytes = sizeof(spectocloud_sizes),
    .n_inputs = 3,
    .inputs =
        {{.name = "mel", .type = DT_F32, .rank = 4, .dim = {0, 1, 128, 64}, .sym = {SYM_BATCH}},
         {.name = "emotion", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}},
         {.name = "midi", .type = DT_F32, .rank = 2, .dim = {0, 32}, .sym = {SYM_BATCH}}},
    .output = {.name = "points",
               .type = DT_F32,
               .rank = 3,
               .dim = {0, POINTS, NUMBERS},
               .sym = {SYM_BATCH}},
    .target = {.name = "points",
               .type = DT_F32,
               .rank = 3,
               .dim = {0, POINTS, NUMBERS},
               .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};
