// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural.c: export/rtneural.h as a format of `kmidi export`: a golden sequence goes with the
// network, and what was written is read and run on it.
#include "export/rtneural.h"

#include <math.h>
#include <string.h>

#include "export/formats/again.h"
#include "infer/session.h"

enum { FRAMES = 20 };

// The emotion sin(0.37 k); notes that rise by sevenths, none before the first.
static float emotion_at_place(int64_t k)
{
    return (float)sin(0.37 * (double)k);
}

static int32_t note_at(int64_t t)
{
    return t ? (int32_t)(7 * t % 128) : -1;
}

// What goes into the first layer: sin(0.37 i), or of notes their codes with the emotion added.
static float *frames_of(const rtneural *r, arena *a)
{
    int64_t in = r->layer[0].in;
    float *x = NEW(a, float, (size_t)(FRAMES * in));
    for (int64_t t = 0; t < FRAMES; t++)
        for (int64_t k = 0; k < in; k++)
            x[t * in + k] = r->codes ? r->codes[(note_at(t) + 1) * in + k] + emotion_at_place(k)
                                     : emotion_at_place(t * in + k);
    return x;
}

static void feed(session *s, const model_def *m, const float *x, int64_t n)
{
    if (m->makes != MAKES_NOTES) {
        memcpy(session_data(s, s->net->in[0]), x, sizeof(float) * (size_t)n);
        return;
    }
    float *emotion = session_input(s, "emotion");
    int32_t *note = session_input(s, "prev_note");
    for (int64_t k = 0; k < m->inputs[0].dim[1]; k++)
        emotion[k] = emotion_at_place(k);
    for (int64_t t = 0; t < FRAMES; t++)
        note[t] = note_at(t);
}

// Our own run over `frames` of them, as a batch or in time; its last `rows` rows into y.
static bool run_ours(export_task *t, const float *x, int64_t frames, bool in_time, int64_t rows,
                     int64_t in, float *y, err *e)
{
    const model_def *m = t->from->model;
    arena a = {.name = "golden"};
    session *s = session_open(&(session_setup){.model = m,
                                               .params = t->from->p,
                                               .gives = SESSION_OUT,
                                               .batch = in_time ? 1 : frames,
                                               .time = in_time ? frames : 1,
                                               .kit = t->env->kit},
                              &a, e);
    if (s) {
        feed(s, m, x, frames * in);
        session_go(s);
        const float *out = session_data(s, s->net->out);
        int64_t n = shape_count(s->net->out->shape),
                width = n / (in_time && m->output.sym[1] != SYM_TIME ? 1 : frames);
        memcpy(y, out + n - rows * width, sizeof(float) * (size_t)(rows * width));
    }
    session_close(s);
    arena_free(&a);
    return s != NULL;
}

// What must come out behind each frame. A network that answers behind the last frame alone is asked
// again for each length.
static bool golden(export_task *t, const rtneural *r, rtneural_example *g, err *e)
{
    const model_def *m = t->from->model;
    int64_t in = r->layer[0].in, out = r->layer[r->n - 1].out;
    float *x = frames_of(r, t->arena), *y = NEW(t->arena, float, (size_t)(FRAMES * out));
    bool time_in = m->n_inputs > 1 || m->inputs[0].sym[1] == SYM_TIME,
         time_out = m->output.sym[1] == SYM_TIME;
    *g = (rtneural_example){FRAMES, x, y};
    if (!time_in || time_out)
        return run_ours(t, x, FRAMES, time_in, FRAMES, in, y, e);
    for (int64_t k = 1; k <= FRAMES; k++)
        if (!run_ours(t, x, k, true, 1, in, y + (k - 1) * out, e))
            return false;
    return true;
}

static const char *input_said(const model_def *m)
{
    return m->makes == MAKES_NOTES
               ? "a frame is note_codes[previous note + 1] + emotion, -1 before the first note"
           : m->affect
               ? "a frame is log-mel as (log_mel - mean) / deviation; what a clip expresses "
                 "is the output behind its last frame"
               : "a frame is one item";
}

static bool check_task(const export_task *t, err *e)
{
    return (!t->front_end && !t->with_past) ||
           err_set(e, ERR_USAGE,
                   "--front-end and --with-past are of onnx; RTNeural takes frames and carries its "
                   "state by itself");
}

static bool write(export_task *t, err *e)
{
    model_meta meta = export_weights_meta(t);
    rtneural_example g;
    export_put_emotion(t->from->model, &meta);
    meta_set(&meta, "input", input_said(t->from->model));
    meta_set(&meta, "state",
             "carried from frame to frame; reset() begins anew, as input_batch does");
    rtneural *r = check_task(t, e) ? rtneural_build(t->from->model, t->from->p, t->arena, e) : NULL;
    return r && golden(t, r, &g, e) && rtneural_write(t->out, r, &g, &meta, e);
}

static bool check(export_task *t, err *e)
{
    rtneural_example g;
    rtneural *built = rtneural_build(t->from->model, t->from->p, t->arena, e),
             *r = built ? rtneural_read(t->out, t->arena, e) : NULL;
    if (!r || !golden(t, built, &g, e))
        return false;
    int64_t n = FRAMES * r->layer[r->n - 1].out;
    float *y = NEW(t->arena, float, (size_t)n);
    rtneural_run(r, g.x, FRAMES, y);
    export_compare(t, y, g.y, n);
    t->network = r;
    t->checked = "file read again and run, frame by frame";
    return true;
}

// ---- Said to data

// A row of what the session hears as frames, as frames_of has them.
static const float *frames_heard(const rtneural *r, session *s, int64_t row, int64_t frames,
                                 arena *a)
{
    const network *net = s->net;
    int64_t in = r->layer[0].in;
    const float *x = session_data(s, net->in[0]);
    if (!r->codes)
        return x + row * frames * in;
    const int32_t *note = (const int32_t *)session_input(s, "prev_note") + row * frames;
    const float *emotion = (const float *)session_input(s, "emotion") + row * in;
    float *y = NEW(a, float, (size_t)(frames * in) + 1);
    for (int64_t t = 0; t < frames; t++)
        for (int64_t k = 0; k < in; k++)
            y[t * in + k] = r->codes[(note[t] + 1) * in + k] + emotion[k];
    return y;
}

// Each row from a fresh state on; what the last frame gives, or all of them.
static bool say(export_task *t, session *s, err *e)
{
    arena a = {.name = "rtneural"};
    const rtneural *r = t->network;
    const model_def *m = t->from->model;
    bool in_time = m->n_inputs > 1 || m->inputs[0].sym[1] == SYM_TIME,
         all = m->output.sym[1] == SYM_TIME;
    int64_t rows = s->net->out->shape.d[0], frames = in_time ? s->setup.time : 1,
            out = r->layer[r->n - 1].out, kept = all ? frames * out : out;
    float *y = NEW(&a, float, (size_t)(rows * kept) + 1),
          *whole = NEW(&a, float, (size_t)(frames * out) + 1);
    for (int64_t i = 0; i < rows; i++) {
        rtneural_run(r, frames_heard(r, s, i, frames, &a), frames, whole);
        memcpy(y + i * kept, whole + frames * out - kept, sizeof *y * (size_t)kept);
    }
    bool ok = export_answer(t, s, y, rows * kept, false, e);
    arena_free(&a);
    return ok;
}

const export_def export_rtneural = {
    .name = "rtneural", .runs = true, .write = write, .check = check, .say = say};
