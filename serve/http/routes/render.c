// SPDX-License-Identifier: GPL-3.0-or-later
// render.c: the cloud of a piece as a picture, as KmiDi's clients ask for theirs:
//
//     {"midi_events": [...] | "midi_file_path": "a.mid" | "audio_file_path": "a.wav",
//      "duration": 8, "emotion_trajectory": [{"time": 0, "valence": 0.5, "arousal": 0.2}],
//      "mode": "static", "frame_idx": 0, "output_path": "frame.svg", "fps": 15,
//      "n_particles": 1200}
//     {"status": "success", "mode": "static", "output_path": null, "frames": 40, "svg": "<svg ..."}
//
// A frame is a window of 0.2 s, as theirs; frame_idx above 0 draws the piece as far as that frame.
// An animation is one picture in which the points appear when they are heard. Files are read and
// written below --folder alone; without an output_path the picture stands in the answer.
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/music/affect.h"
#include "data/music/anchors.h"
#include "data/music/cloud_write.h"
#include "serve/http/events.h"
#include "serve/http/fields.h"
#include "serve/http/route.h"
#include "serve/http/sky.h"

enum { PARTICLES = 100000, FRAMES = 1000000, PATH = 1000, TRAJECTORY = 10000 };
#define WINDOW 0.2

typedef struct order {
    asked *q;
    fields all;
    sky sky;
    int mode;    // 0 static, 1 animation
    int density; // of anchors
    int64_t frame, particles;
    double fps;
    const char *out; // NULL: into the answer
    const char *by;
    json *notes;
} order;

// ---- Files: only below the folder that was named

static bool not_allowed(const char *field, err *e)
{
    return err_set(
        e, ERR_VALUE,
        "%s is not allowed: files are read and written below the folder that 'kmidi serve "
        "--folder' names; send midi_events, and take the picture from the answer",
        field);
}

// The path's folder as it really is must be the named one, or lie in it.
static bool allowed(const order *o, const char *field, const char *path, const char **out, err *e)
{
    char root[PATH_MAX], real[PATH_MAX];
    arena *a = o->q->arena;
    const char *folder = o->q->house->folder;
    if (!folder || !realpath(folder, root))
        return not_allowed(field, e);
    const char *full = path_join(a, root, path), *name = path_base(full);
    if (!realpath(path_dir(a, full), real) || !*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return not_allowed(field, e);
    size_t n = strlen(root);
    if (strncmp(real, root, n) || (real[n] && real[n] != '/'))
        return not_allowed(field, e);
    *out = path_join(a, real, name);
    return true;
}

// The same of a file that is there, whatever it is a link to.
static bool allowed_file(const order *o, const char *field, const char *path, const char **out,
                         err *e)
{
    char real[PATH_MAX];
    const char *near = NULL;
    if (!allowed(o, field, path, &near, e))
        return false;
    return realpath(near, real) ? allowed(o, field, arena_strdup(o->q->arena, real), out, e)
                                : err_set(e, ERR_VALUE, "%s: there is no such file", field);
}

// ---- What is asked

static bool take_notes(order *o, err *e)
{
    const json *events;
    const char *midi, *sound;
    if (!fields_list(&o->all, "midi_events", EVENTS_MOST, &events, e) ||
        !fields_text(&o->all, "midi_file_path", PATH, &midi, e) ||
        !fields_text(&o->all, "audio_file_path", PATH, &sound, e) ||
        !fields_num(&o->all, "duration", 0.01, EVENTS_SECONDS, &o->sky.seconds, e))
        return false;
    if (!json_len(events) && !midi && !sound)
        return err_set(e, ERR_EMPTY,
                       "midi_events cannot be empty (or give midi_file_path or "
                       "audio_file_path)");
    if (sound && !allowed_file(o, "audio_file_path", sound, &o->sky.sound, e))
        return false;
    if (midi && (!allowed_file(o, "midi_file_path", midi, &midi, e) ||
                 !(o->sky.song = midi_load(o->q->arena, midi, e))))
        return false;
    if (json_len(events) && !(o->sky.song = events_song(events, &o->sky.seconds, o->q->arena, e)))
        return false;
    if (o->sky.seconds <= 0 && o->sky.song)
        o->sky.seconds = o->sky.song->seconds;
    return true;
}

// The mean of what is said on the way; where nothing is, what the notes sound like.
static bool take_emotion(order *o, err *e)
{
    const json *list;
    size_t n;
    cloud_emotion *m = &o->sky.emotion, one;
    if (!fields_list(&o->all, "emotion_trajectory", TRAJECTORY, &list, e))
        return false;
    for (size_t i = 0; i < (n = json_len(list)); i++) {
        fields f = {json_at(list, i), "emotion_trajectory."};
        one = (cloud_emotion){0, 0, 0.5};
        if (!fields_num(&f, "valence", -1, 1, &one.valence, e) ||
            !fields_num(&f, "arousal", -1, 1, &one.arousal, e) ||
            !fields_num(&f, "intensity", 0, 1, &one.intensity, e))
            return false;
        m->valence += one.valence / (double)n, m->arousal += one.arousal / (double)n;
        m->intensity += one.intensity / (double)n;
    }
    if (n == 0 && o->sky.song) {
        song_affect sounds = affect_estimate(o->q->arena, o->sky.song);
        *m = (cloud_emotion){sounds.valence, sounds.arousal,
                             hypot(sounds.valence, sounds.arousal) / sqrt(2)};
    }
    return true;
}

static bool take_look(order *o, err *e)
{
    const char *path;
    bool rotate = false;
    o->fps = 15, o->particles = CLOUD_POINTS, o->density = ANCHORS_NORMAL;
    if (!fields_choice(&o->all, "mode", "static|animation", &o->mode, e) ||
        !fields_choice(&o->all, "anchor_density", "sparse|normal|dense", &o->density, e) ||
        !fields_int(&o->all, "frame_idx", 0, FRAMES, &o->frame, e) ||
        !fields_int(&o->all, "n_particles", 1, PARTICLES, &o->particles, e) ||
        !fields_num(&o->all, "fps", 1, 240, &o->fps, e) ||
        !fields_flag(&o->all, "rotate", &rotate, e) ||
        !fields_text(&o->all, "output_path", PATH, &path, e))
        return false;
    if (o->particles > CLOUD_POINTS)
        json_push_str(o->notes, "a cloud has 1200 particles at most");
    if (path && !str_ends(path, ".svg"))
        return err_set(e, ERR_VALUE, "output_path is a picture in SVG; call it NAME.svg");
    fields_unknown(&o->all,
                   "midi_events|midi_file_path|audio_file_path|duration|emotion_trajectory|mode|"
                   "frame_idx|output_path|fps|rotate|anchor_density|n_particles",
                   o->notes);
    return !path || (allowed(o, "output_path", path, &o->out, e) &&
                     (!file_exists(o->out) || // a link that is there may lead away
                      allowed_file(o, "output_path", path, &o->out, e)));
}

// ---- What comes of it

static int frames_of(const order *o)
{
    double n = ceil(o->sky.seconds / WINDOW);
    return n < 1 ? 1 : n > FRAMES ? FRAMES : (int)n;
}

// As they are at the end of what is drawn; of an animation, at rest.
static int anchors_of(const order *o, anchor *wall)
{
    const sky *s = &o->sky;
    int n = anchors_make((anchor_density)o->density, wall), frames = frames_of(o);
    double until = WINDOW * (double)(o->frame > 0 && o->frame < frames ? o->frame : frames - 1);
    anchor_music m = {s->slices, s->seconds, s->song != NULL, s->heard};
    if (o->mode == 0)
        anchors_light(wall, n, &m, until + WINDOW / 2);
    return n;
}

static void picture(const order *o, const float *points, strbuf *out)
{
    char said[100];
    anchor wall[ANCHORS_MOST];
    int frames = frames_of(o);
    cloud_view v = {.count = (int)(o->particles < CLOUD_POINTS ? o->particles : CLOUD_POINTS),
                    .anchors = wall,
                    .n_anchors = anchors_of(o, wall)};
    if (o->mode == 1)
        v.seconds = o->sky.seconds, v.fps = o->fps;
    else if (o->frame > 0 && o->frame + 1 < frames)
        v.until = (double)(o->frame + 1) / frames;
    snprintf(said, sizeof said, "valence %+.2f, arousal %+.2f", o->sky.emotion.valence,
             o->sky.emotion.arousal);
    cloud_svg_view(points, &v, "spectocloud", said, out);
}

static bool tell(const order *o, strbuf *svg, answer *a, err *e)
{
    if (!o->out && answer_wanted(o->q->wants, "image/svg+xml")) {
        answer_file(a, "image/svg+xml", svg);
        return true;
    }
    if (o->out && !file_write(o->out, svg->s, svg->len, e))
        return false;
    json *j = json_object();
    json_set_str(j, "status", "success");
    json_set_str(j, "mode", o->mode ? "animation" : "static");
    json_set_str(j, "output_path", o->out);
    json_set_int(j, "frames", frames_of(o));
    json_set_str(j, "by", o->by);
    json_set_num(j, "duration", o->sky.seconds);
    json_set_num(j, "valence", o->sky.emotion.valence);
    json_set_num(j, "arousal", o->sky.emotion.arousal);
    json_set(j, "notes", json_clone(o->notes));
    if (!o->out)
        json_set_str(j, "svg", svg->s);
    json_set_str(j, "request_id", o->q->id);
    answer_json(a, j);
    return true;
}

// Their service answers 400 where ours elsewhere has 422.
static bool run(asked *q, answer *a, err *e)
{
    order o = {.q = q, .all = {q->body, ""}, .notes = json_array()};
    float *points = NEW(q->arena, float, CLOUD_POINTS *CLOUD_WIDTH);
    strbuf svg = {0};
    bool asked_well = take_look(&o, e) && take_notes(&o, e) && take_emotion(&o, e);
    bool ok = asked_well && sky_draw(q->house, &o.sky, q->arena, points, &o.by, e);
    if (ok)
        picture(&o, points, &svg);
    ok = ok && tell(&o, &svg, a, e);
    if (!asked_well) {
        answer_refuse(a, 400, q->id, "%s", e->text);
        ok = true;
    }
    strbuf_free(&svg);
    json_free(o.notes);
    return ok;
}

const route route_render = {
    .method = "POST",
    .path = "/spectocloud/render",
    .summary = "The cloud of a piece as a picture",
    .takes = TAKES_JSON,
    .works = true,
    .asks = "{\"type\":\"object\",\"properties\":{\"midi_events\":{\"type\":\"array\",\"items\":{"
            "\"type\":\"object\"}},\"midi_file_path\":{\"type\":\"string\"},\"audio_file_path\":{"
            "\"type\":\"string\"},\"duration\":{\"type\":\"number\",\"minimum\":0.01,\"maximum\":"
            "3600},\"emotion_trajectory\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
            "\"properties\":{\"time\":{\"type\":\"number\"},\"valence\":{\"type\":\"number\"},"
            "\"arousal\":{\"type\":\"number\"},\"intensity\":{\"type\":\"number\"}}}},\"mode\":{"
            "\"enum\":[\"static\",\"animation\"]},\"anchor_density\":{\"enum\":[\"sparse\","
            "\"normal\",\"dense\"]},\"frame_idx\":{\"type\":\"integer\",\"minimum\":0},"
            "\"output_path\":{\"type\":\"string\"},\"fps\":{\"type\":\"number\",\"minimum\":1,"
            "\"maximum\":240},\"rotate\":{\"type\":\"boolean\"},\"n_particles\":{\"type\":"
            "\"integer\",\"minimum\":1}}}",
    .gives = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},\"mode\":{"
             "\"type\":\"string\"},\"output_path\":{\"type\":[\"string\",\"null\"]},\"frames\":{"
             "\"type\":\"integer\"},\"svg\":{\"type\":\"string\"}}}",
    .run = run,
};
