// SPDX-License-Identifier: GPL-3.0-or-later
// painter.c: frames of the whole sound as 64 columns, one pass of the network (painter.h).
#include "infer/painter.h"

#include <math.h>
#include <string.h>

#include "data/music/emotions.h"
#include "data/music/midi_stats.h"
#include "infer/session.h"

struct painter {
    const trained *d;
    const env *v;
    feature *feature;
    session *s;
};

painter *painter_open(const trained *d, const env *v, arena *a, err *e)
{
    painter *p = NEW(a, painter, 1);
    *p = (painter){.d = d, .v = v};
    if (d->model->task != TASK_CLOUDS) {
        (void)err_set(e, ERR_MISMATCH, "'%s' is of %s, which draws no clouds", d->path,
                      d->model->name);
        return NULL;
    }
    session_setup o = {.model = d->model,
                       .params = d->p,
                       .gives = SESSION_OUT,
                       .batch = 1,
                       .stay = true,
                       .pool = v->pool,
                       .kit = v->kit};
    p->feature = feature_open(d->feature, d->mel, e);
    p->s = p->feature ? session_open(&o, a, e) : NULL;
    if (p->s)
        return p;
    painter_close(p);
    return NULL;
}

void painter_close(painter *p)
{
    if (!p)
        return;
    session_close(p->s);
    feature_close(p->feature);
    p->s = NULL, p->feature = NULL;
}

// The picture [bands][64] of all frames, as the loader makes it.
static bool look(painter *p, const scene *s, float *picture, err *e)
{
    const trained *d = p->d;
    int bands = d->mel->n_mels;
    int64_t frames = feature_frames(p->feature, s->n);
    size_t bytes = (size_t)(frames > 0 ? frames : 1) * (size_t)bands * sizeof(float);
    float *mel = base_pages(2 * bytes), *row = mel ? mel + bytes / sizeof *mel : NULL;
    if (!mel)
        return err_set(e, ERR_MEMORY, "no memory for %lld frames; cut the file into parts",
                       (long long)frames);
    bool ok = feature_compute(p->feature, s->samples, s->n, mel, p->v->pool, e);
    if (ok) {
        loader_row(mel, frames, 0, frames, bands, d->hear.mean, d->hear.deviation, row);
        loader_squeeze(row, frames, bands, CLOUD_SLICES, picture);
    }
    base_pages_free(mel, 2 * bytes);
    return ok;
}

float *painter_picture(painter *p)
{
    return session_input(p->s, "mel");
}

bool painter_paint(painter *p, const float *midi, const float *emotion, float *points, err *e)
{
    float sum = 0;
    memcpy(session_input(p->s, "midi"), midi, MIDI_STATS * sizeof *midi);
    memcpy(session_input(p->s, "emotion"), emotion, EMOTION_SIZE * sizeof *emotion);
    session_go(p->s);
    memcpy(points, session_data(p->s, p->s->net->out), CLOUD_POINTS * CLOUD_WIDTH * sizeof *points);
    for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++)
        sum += points[i] * 0;
    return sum == 0 || err_set(e, ERR_VALUE,
                               "'%s' draws points that are no numbers; its weights "
                               "are damaged, take another checkpoint of the run",
                               p->d->path);
}

bool painter_draw(painter *p, const scene *s, float *points, err *e)
{
    arena scratch = {.name = "statistics"};
    float midi[MIDI_STATS] = {0};
    if (s->midi)
        memcpy(midi, s->midi, sizeof midi);
    else if (s->song && s->song->n_notes)
        midi_stats(&scratch, s->song, midi);
    arena_free(&scratch);
    return look(p, s, painter_picture(p), e) && painter_paint(p, midi, s->emotion, points, e);
}
