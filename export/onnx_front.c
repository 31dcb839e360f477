// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_front.c: samples to standardised log-mel frames in ONNX nodes, the same formulas as
// data/features/mel.c.
//
//     waveform [B, N] -> Pad -> frames [B, T, n_fft] -> DFT [B, T, K, 2]
//         -> squares, ReduceSum [B, T, K] -> bank [M, K] MatMul [B, K, T] -> [B, T, M]
//            (the level in the last of M: ReduceMax of the frames' squares)
//         -> Log -> classes turned to their key (onnx_front_key.c) -> Max with ReduceMax - top_db
//         -> normalised by its own ReduceMean -> (x - mean) / deviation -> zeros in front up
//            to the window
//         -> Gather of all windows [B * C, T, M], C a function of the length
//            (or of all frames the means of as many spans as a picture has columns)
//
// The filter bank is an initialiser: the MelWeightMatrix operator knows only one of the scales.
// One difference remains: ONNX reflects a signal only once, so with reflecting ends a waveform
// needs more than n_fft / 2 samples.
#include <math.h>
#include <stdint.h>

#include "export/onnx.h"
#include "export/onnx_emit.h"
#include "export/onnx_front.h"

static const char *scalar_f32(emitter *m, float v)
{
    return emit_f32(m, 0, NULL, &v);
}

static const char *binary(emitter *m, const char *op, const char *a, const char *b)
{
    return emit_op(m, op, 2, (const char *[]){a, b}, 0, NULL);
}

static const char *unary(emitter *m, const char *op, const char *a)
{
    return emit_op(m, op, 1, &a, 0, NULL);
}

static const char *emit_ends(emitter *m, const onnx_front *f, const char *x)
{
    if (!f->center)
        return x;
    int64_t half = f->n_fft / 2, pads[] = {0, half, 0, half};
    emit_attr mode = {
        .name = "mode", .kind = EMIT_STRING, .s = f->reflect ? "reflect" : "constant"};
    return emit_op(m, "Pad", 2, (const char *[]){x, emit_i64(m, 4, pads)}, 1, &mode);
}

static const char *cast(emitter *m, const char *x, int type)
{
    emit_attr to = attr_int("to", type);
    return emit_op(m, "Cast", 1, &x, 1, &to);
}

// Transforms of other sizes than powers of two are made of longer ones (Bluestein), where f32 loses
// two digits that a logarithm shows.
static bool is_round(int n)
{
    return (n & (n - 1)) == 0;
}

// Frames [B, T, n_fft] of a signal [B, N]: sample hop t + i at i of frame t.
static const char *emit_frames(emitter *m, const onnx_front *f, const char *x)
{
    int64_t n = f->n_fft, one = 1;
    emit_attr axis0 = attr_int("axis", 0), axis1 = attr_int("axis", 1);
    const char *samples = emit_op(
        m, "Gather", 2, (const char *[]){unary(m, "Shape", x), emit_i64_scalar(m, 1)}, 1, &axis0);
    const char *end = binary(m, "Sub", samples, emit_i64_scalar(m, n - 1));
    const char *begin =
        emit_op(m, "Range", 3,
                (const char *[]){emit_i64_scalar(m, 0), end, emit_i64_scalar(m, f->hop)}, 0, NULL);
    const char *within[] = {emit_i64_scalar(m, 0), emit_i64_scalar(m, n), emit_i64_scalar(m, 1)};
    const char *places = binary(m, "Add", binary(m, "Unsqueeze", begin, emit_i64(m, 1, &one)),
                                emit_op(m, "Range", 3, within, 0, NULL));
    return emit_op(m, "Gather", 2, (const char *[]){x, places}, 1, &axis1);
}

// The same bits as an STFT node gives, whose shape tools cannot tell from its inputs (ONNX
// Runtime's symbolic shape inference stops at it).
static const char *emit_spectrum(emitter *m, const onnx_front *f, const char *x)
{
    int64_t n = f->n_fft, last = -1;
    emit_attr over[] = {attr_int("axis", 2), attr_int("onesided", 1)},
              drop = attr_int("keepdims", 0);
    const char *window = emit_f32(m, 1, &n, f->window);
    if (!is_round(f->n_fft))
        x = cast(m, x, ONNX_DOUBLE), window = cast(m, window, ONNX_DOUBLE);
    x = binary(m, "Unsqueeze", binary(m, "Mul", x, window), emit_i64(m, 1, &last));
    x = emit_op(m, "DFT", 1, &x, 2, over);
    if (!is_round(f->n_fft))
        x = cast(m, x, ONNX_FLOAT);
    x = binary(m, "Mul", x, x);
    x = emit_op(m, "ReduceSum", 2, (const char *[]){x, emit_i64(m, 1, &last)}, 1, &drop);
    return f->power == 1 ? unary(m, "Sqrt", x) : x;
}

// The bank is the first factor: tools that quantise products look for constants in the second
// place, and 8 bits of a power spectrum leave nothing of its logarithm.
static const char *emit_bands(emitter *m, const onnx_front *f, const char *x)
{
    int64_t dims[] = {f->n_mels, f->n_fft / 2 + 1}, perm[] = {0, 2, 1};
    emit_attr across = {.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 3};
    const char *bins = emit_op(m, "Transpose", 1, &x, 1, &across),
               *bands = binary(m, "MatMul", emit_f32(m, 2, dims, f->bank), bins);
    return emit_op(m, "Transpose", 1, &bands, 1, &across);
}

// The bank's last row is zeros where there is a level: the largest of the item's samples, to the
// power of the bands, takes the place of what they gave.
static const char *emit_level(emitter *m, const onnx_front *f, const char *x, const char *frames)
{
    if (!f->level)
        return x;
    int64_t axes[] = {1, 2}, zeros[] = {0, 0, f->n_mels - 1, 0, 0, 0};
    emit_attr over = {.name = "axes", .kind = EMIT_INTS, .n = 2, .ints = axes},
              mode = {.name = "mode", .kind = EMIT_STRING, .s = "constant"};
    const char *squares = binary(m, "Mul", frames, frames),
               *most = emit_op(m, "ReduceMax", 1, &squares, 1, &over);
    if (f->power == 1)
        most = unary(m, "Sqrt", most);
    const char *row[] = {most, emit_i64(m, 6, zeros)}; // [B, 1, M]
    return binary(m, "Add", x, emit_op(m, "Pad", 2, row, 1, &mode));
}

static const char *emit_log(emitter *m, const onnx_front *f, const char *x)
{
    if (!f->log)
        return x;
    x = unary(m, "Log", binary(m, f->add_floor ? "Add" : "Max", x, scalar_f32(m, f->floor)));
    return f->ln ? x
                 : binary(m, "Mul", x, scalar_f32(m, (float)((f->power == 1 ? 20 : 10) / log(10))));
}

// Nothing far below the largest value, of classes that are turned already.
static const char *emit_limit(emitter *m, const onnx_front *f, const char *x)
{
    if (f->top_db <= 0)
        return x;
    int64_t axes[] = {1, 2};
    emit_attr over = {.name = "axes", .kind = EMIT_INTS, .n = 2, .ints = axes};
    const char *most = emit_op(m, "ReduceMax", 1, &x, 1, &over);
    return binary(m, "Max", x, binary(m, "Sub", most, scalar_f32(m, f->top_db)));
}

static const char *number(emitter *m, int64_t v)
{
    return emit_i64(m, 1, &v);
}

// Over the frames, and over the bands too unless each is normalised by itself (feature_normal.h).
static const char *emit_mean(emitter *m, const onnx_front *f, const char *x)
{
    int64_t axes[] = {1, 2};
    emit_attr over = {
        .name = "axes", .kind = EMIT_INTS, .n = f->normal_bands ? 1 : 2, .ints = axes};
    return emit_op(m, "ReduceMean", 1, &x, 1, &over);
}

// Numbers from .. to of each frame.
static const char *emit_part(emitter *m, const char *x, int64_t from, int64_t to)
{
    return emit_op(m, "Slice", 4, (const char *[]){x, number(m, from), number(m, to), number(m, 2)},
                   0, NULL);
}

static const char *emit_even(emitter *m, const onnx_front *f, const char *x)
{
    x = binary(m, "Sub", x, emit_mean(m, f, x));
    const char *deviation = unary(m, "Sqrt", emit_mean(m, f, binary(m, "Mul", x, x)));
    return binary(m, "Div", x, binary(m, "Max", deviation, scalar_f32(m, f->normal_least)));
}

// A level stays what it is (feature.h).
static const char *emit_normal(emitter *m, const onnx_front *f, const char *x)
{
    if (!f->normal || !f->level)
        return f->normal ? emit_even(m, f, x) : x;
    int64_t bands = f->n_mels - 1;
    emit_attr axis = attr_int("axis", 2);
    const char *parts[] = {emit_even(m, f, emit_part(m, x, 0, bands)),
                           emit_part(m, x, bands, f->n_mels)};
    return emit_op(m, "Concat", 2, parts, 1, &axis);
}

static const char *emit_standard(emitter *m, const onnx_front *f, const char *x)
{
    if (!f->mean)
        return x;
    int64_t n = f->n_mels;
    x = binary(m, "Sub", x, emit_f32(m, 1, &n, f->mean));
    return binary(m, "Div", x, emit_f32(m, 1, &n, f->deviation));
}

// The number of frames, as a tensor of one element.
static const char *emit_length(emitter *m, const char *x)
{
    int64_t one = 1;
    return binary(m, "Gather", unary(m, "Shape", x), emit_i64(m, 1, &one));
}

// How many windows cover x of `length` frames, or as many as f says (loader_windows in
// data/loader/loader.h).
static const char *emit_count(emitter *m, const onnx_front *f, const char *length)
{
    const char *window = number(m, f->frames), *one = number(m, 1);
    const char *cover =
        binary(m, "Div", binary(m, "Add", length, number(m, f->frames - 1)), window);
    if (!f->views)
        return cover;
    const char *few = binary(m, "LessOrEqual", length, number(m, 2 * f->views * f->frames));
    const char *fits = binary(m, "LessOrEqual", length, window);
    const char *some =
        emit_op(m, "Where", 3, (const char *[]){few, number(m, f->views), cover}, 0, NULL);
    return emit_op(m, "Where", 3, (const char *[]){fits, one, some}, 0, NULL);
}

// Where one window alone begins, of what is `spare` longer than it.
static const char *emit_alone(emitter *m, const onnx_front *f, const char *spare)
{
    return f->crop == ONNX_CROP_LAST    ? spare
           : f->crop == ONNX_CROP_FIRST ? number(m, 0)
                                        : binary(m, "Div", spare, number(m, 2));
}

static const char *range(emitter *m, const char *to)
{
    return emit_op(m, "Range", 3,
                   (const char *[]){emit_i64_scalar(m, 0), to, emit_i64_scalar(m, 1)}, 0, NULL);
}

// First frames [count, 1] of the windows: spread evenly over the whole.
static const char *emit_starts(emitter *m, const onnx_front *f, const char *length,
                               const char *count)
{
    int64_t zero = 0;
    const char *one = number(m, 1), *spare = binary(m, "Sub", length, number(m, f->frames));
    const char *k = range(m, binary(m, "Squeeze", count, emit_i64(m, 1, &zero)));
    const char *from = binary(m, "Div", binary(m, "Mul", k, spare),
                              binary(m, "Max", binary(m, "Sub", count, one), one));
    if (f->views == 1)
        from =
            emit_op(m, "Where", 3,
                    (const char *[]){binary(m, "Equal", count, one), emit_alone(m, f, spare), from},
                    0, NULL);
    return binary(m, "Unsqueeze", from, one);
}

// Zeros in front up to the window.
static const char *emit_padding(emitter *m, const onnx_front *f, const char *x)
{
    int64_t zeros[4] = {0};
    emit_attr axis = attr_int("axis", 0),
              mode = {.name = "mode", .kind = EMIT_STRING, .s = "constant"};
    const char *zero = emit_i64(m, 1, zeros);
    const char *missing =
        binary(m, "Max", binary(m, "Sub", number(m, f->frames), emit_length(m, x)), zero);
    const char *pads =
        emit_op(m, "Concat", 3, (const char *[]){zero, missing, emit_i64(m, 4, zeros)}, 1, &axis);
    return emit_op(m, "Pad", 2, (const char *[]){x, pads}, 1, &mode);
}

// [batch, T, M] -> [batch * count, frames, M]: all windows, the item's one behind the other.
static const char *emit_windows(emitter *m, const onnx_front *f, const char *x, const char **count)
{
    int64_t rows[] = {-1, f->frames, f->n_mels};
    emit_attr axis = attr_int("axis", 1);
    x = emit_padding(m, f, x);
    const char *length = emit_length(m, x);
    *count = emit_count(m, f, length);
    const char *index = binary(m, "Add", emit_starts(m, f, length, *count),
                               range(m, emit_i64_scalar(m, f->frames)));
    x = emit_op(m, "Gather", 2, (const char *[]){x, index}, 1, &axis);
    return binary(m, "Reshape", x, emit_i64(m, 3, rows));
}

// Frames [B, T, M] as a picture [B, columns, M]: column c is the mean of frames n c / columns to
// n (c + 1) / columns, at least one (loader_squeeze in data/loader/loader.h). Which frames are
// whose is a matrix of ones and noughts [columns, T], T being known when there is a waveform.
static const char *emit_squeezed(emitter *m, const onnx_front *f, const char *x)
{
    int64_t one = 1, zero = 0;
    const char *n = emit_length(m, x), *columns = number(m, f->columns);
    const char *c = binary(m, "Unsqueeze", range(m, emit_i64_scalar(m, f->columns)),
                           emit_i64(m, 1, &one)); // [columns, 1]
    const char *lo = binary(m, "Div", binary(m, "Mul", c, n), columns),
               *next = binary(m, "Div", binary(m, "Mul", binary(m, "Add", c, number(m, 1)), n),
                              columns);
    const char *hi = binary(m, "Max", next, binary(m, "Add", lo, number(m, 1))),
               *t = range(m, binary(m, "Squeeze", n, emit_i64(m, 1, &zero)));
    const char *behind = cast(m, binary(m, "LessOrEqual", lo, t), ONNX_FLOAT),
               *before = cast(m, binary(m, "LessOrEqual", binary(m, "Add", t, number(m, 1)), hi),
                              ONNX_FLOAT);
    const char *sum = binary(m, "MatMul", binary(m, "Mul", behind, before), x);
    return binary(m, "Div", sum, cast(m, binary(m, "Sub", hi, lo), ONNX_FLOAT));
}

// [N, frames, M] -> [N, 1, M, frames]
static const char *emit_picture(emitter *m, const onnx_front *f, const char *x)
{
    int64_t order[] = {0, 2, 1}, one = 1;
    emit_attr perm = {.name = "perm", .kind = EMIT_INTS, .n = 3, .ints = order};
    if (!f->picture)
        return x;
    x = emit_op(m, "Transpose", 1, &x, 1, &perm);
    return binary(m, "Unsqueeze", x, emit_i64(m, 1, &one));
}

static const char *called(emitter *m, const char *name, const char *x)
{
    CHECK(emitter_reserve(m, name));
    emit_node(m, "Identity", 1, &x, 1, &name, 0, NULL);
    return name;
}

const char *onnx_front_emit(emitter *m, const onnx_front *f, const char *waveform,
                            const char **count)
{
    const char *frames = emit_frames(m, f, emit_ends(m, f, waveform));
    const char *x = emit_spectrum(m, f, frames);
    x = emit_bands(m, f, x);
    x = emit_level(m, f, x, frames);
    x = emit_log(m, f, x);
    x = onnx_front_key(m, f, x);
    x = emit_limit(m, f, x);
    x = emit_normal(m, f, x);
    x = emit_standard(m, f, x);
    if (f->columns)
        x = emit_squeezed(m, f, x);
    x = emit_picture(m, f, f->frames ? emit_windows(m, f, x, count) : x);
    if (*count)
        *count = called(m, ONNX_COUNT, *count);
    return called(m, ONNX_FRAMES, x);
}

void onnx_front_average(emitter *m, const char *windows, const char *count, int64_t n,
                        const char *out)
{
    int64_t axis = 1;
    emit_attr first = attr_int("axis", 0),
              attrs[] = {{.name = "axes", .kind = EMIT_INTS, .n = 1, .ints = &axis},
                         attr_int("keepdims", 0)};
    const char *to =
        emit_op(m, "Concat", 3, (const char *[]){number(m, -1), count, number(m, n)}, 1, &first);
    const char *x = binary(m, "Reshape", windows, to);
    emit_node(m, "ReduceMean", 1, &x, 1, &out, 2, attrs);
}
