// SPDX-License-Identifier: GPL-3.0-or-later
// predict_cloud.c: clouds of files (predict_cloud.h): sound with the MIDI beside it, or MIDI alone,
// which the built-in synthesiser plays.
#include "cmd/predict_cloud.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/audio/clip.h"
#include "data/music/additive.h"
#include "data/music/affect.h"
#include "data/music/cloud_write.h"
#include "data/music/emotions.h"
#include "infer/painter.h"

// A file as it is heard.
typedef struct piece {
    const char *file, *name; // its name without folder and ending
    midi_song *song;         // NULL: none is known
    const float *samples;
    int64_t n;
    float emotion[EMOTION_SIZE];
    clip clip;     // whose samples they are,
    float *played; // or what the synthesiser made
} piece;

// ---- Reading

// The MIDI that is named, or lies beside the sound under its name.
static bool find_song(cmd *c, piece *p, arena *a, err *e)
{
    const char *named = option_text(c, "midi", NULL),
               *stem = path_join(a, path_dir(a, p->file), path_stem(a, p->file));
    for (int i = 0; !named && midi_endings[i]; i++) {
        const char *beside = arena_printf(a, "%s%s", stem, midi_endings[i]);
        named = file_exists(beside) ? beside : NULL;
    }
    if (!named) {
        log_say(c->env.log, LOG_WARN,
                "'%s' has no MIDI beside it: the statistics of its notes are zeros; name it by "
                "--midi",
                p->file);
        return true;
    }
    return (p->song = midi_read(a, named, e)) != NULL;
}

static bool choose_emotion(cmd *c, piece *p, arena *a, err *e)
{
    const char *named = option_text(c, "emotion", NULL);
    double valence = 0, arousal = 0, intensity = NAN;
    if (named && !emotion_parse(named, &valence, &arousal, &intensity, e))
        return false;
    if (!named && p->song) {
        song_affect heard = affect_estimate(a, p->song);
        valence = heard.valence, arousal = heard.arousal;
    }
    emotion_vector(valence, arousal, intensity, p->emotion);
    return true;
}

static bool read_piece(cmd *c, piece *p, int rate, arena *a, err *e)
{
    if (str_ends_any(p->file, midi_endings)) {
        p->song = midi_read(a, p->file, e);
        if (!p->song || !additive_render_to(p->song, rate, &p->played, &p->n, e))
            return false;
        p->samples = p->played;
    } else {
        if (!clip_read(p->file, rate, 0, 0, &p->clip, e) || !find_song(c, p, a, e))
            return false;
        p->samples = p->clip.samples, p->n = p->clip.frames;
    }
    return choose_emotion(c, p, a, e);
}

// ---- Writing

static bool write_one(cmd *c, const piece *p, const char *kind, strbuf *text, json *said, err *e)
{
    const char *path =
        arena_printf(c->arena, "%s/%s.%s", option_text(c, "out", "."), p->name, kind);
    bool ok = file_write(path, text->s, text->len, e);
    json_set_str(said, kind, path);
    strbuf_free(text);
    *text = (strbuf){0};
    return ok;
}

static bool write_all(cmd *c, const piece *p, const float *points, err *e)
{
    json *j = json_object();
    strbuf text = {0};
    const char *said = arena_printf(c->arena, "valence %+.2f, arousal %+.2f", (double)p->emotion[0],
                                    (double)p->emotion[1]);
    json_set_str(j, "file", p->file);
    json_set_int(j, "points", CLOUD_POINTS);
    json_set_num(j, "valence", (double)p->emotion[0]);
    json_set_num(j, "arousal", (double)p->emotion[1]);
    cloud_json(points, &text);
    bool ok = write_one(c, p, "json", &text, j, e);
    cloud_ply(points, &text);
    ok = ok && write_one(c, p, "ply", &text, j, e);
    cloud_svg(points, path_base(p->file), said, &text);
    ok = ok && write_one(c, p, "svg", &text, j, e);
    strbuf_free(&text);
    if (!ok) {
        json_free(j);
        return false;
    }
    cmd_print(c, "%s: %d points, %s; %s, .ply, .json", p->file, CLOUD_POINTS, said,
              json_str(json_get(j, "svg"), ""));
    cmd_json(c, j);
    return true;
}

static bool draw(cmd *c, painter *w, const trained *d, const char *file, err *e)
{
    arena a = {.name = "piece"};
    piece p = {.file = file, .name = path_stem(&a, file)};
    float *points = NEW(&a, float, CLOUD_POINTS *CLOUD_WIDTH);
    bool ok = read_piece(c, &p, d->mel->sample_rate, &a, e);
    scene s = {.samples = p.samples, .n = p.n, .song = p.song, .emotion = p.emotion};
    ok = ok && (painter_draw(w, &s, points, e) || err_trail(e, "'%s'", file)) &&
         write_all(c, &p, points, e);
    clip_free(&p.clip);
    free(p.played);
    arena_free(&a);
    return ok;
}

bool predict_clouds_fit(const cmd *c, const trained *d, err *e)
{
    static const char *const own[] = {"out", "emotion", "midi"};
    for (int i = 0; d->model->task != TASK_CLOUDS && i < 3; i++)
        if (option_given(c, own[i]))
            return err_set(e, ERR_USAGE, "--%s is for models that draw clouds, and '%s' is of %s",
                           own[i], d->path, d->model->name);
    return true;
}

bool predict_clouds(cmd *c, const trained *d, err *e)
{
    painter *w = painter_open(d, &c->env, c->arena, e);
    bool ok = w && file_make_dirs(option_text(c, "out", "."), e);
    for (int i = 1; ok && i < c->n_args; i++)
        ok = (!env_stop(&c->env) || err_set(e, ERR_STOPPED, "stopped before '%s'", c->args[i])) &&
             draw(c, w, d, c->args[i], e);
    painter_close(w);
    return ok;
}
