// SPDX-License-Identifier: GPL-3.0-or-later
// predict.c: a sound file in, what a model hears in it out, as `kmidi predict --json` says it. The
// body is the file's bytes; ?model=NAME asks another model than the first.
#include <stdio.h>
#include <string.h>

#include "infer/heard.h"
#include "serve/http/route.h"

// What the reader says of a file's name is of a name that nobody gave.
static bool unnamed(const char *path, err *e)
{
    strbuf b = {0};
    char quoted[400];
    snprintf(quoted, sizeof quoted, "'%s'", path);
    const char *from = e->text, *at;
    while ((at = strstr(from, quoted))) {
        strbuf_printf(&b, "%.*sthe sound", (int)(at - from), from);
        from = at + strlen(quoted);
    }
    strbuf_printf(&b, "%s", from);
    err_code code = e->code == ERR_IO ? ERR_FORMAT : e->code;
    err_set(e, code, "%s", b.s);
    strbuf_free(&b);
    return false;
}

static void tell(const asked *q, const trained *d, const clip *sound, const heard *h, answer *a)
{
    json *j = heard_json(d, NULL, h, q->arena), *notes = json_array();
    for (int k = 0; k < CLIP_MARKS; k++)
        if (heard_marks(d, sound, h) >> k & 1)
            json_push_str(notes, heard_mark_text(d, (clip_mark)k, q->arena));
    json_set_str(j, "status", "success");
    json_set_str(j, "model", d->model->name);
    json_set_num(j, "seconds", sound->seconds);
    json_set(j, "notes", notes);
    json_set_str(j, "request_id", q->id);
    answer_json(a, j);
}

static bool run(asked *q, answer *a, err *e)
{
    const house *s = q->house;
    int ear = shelf_ear(s->models, json_str(json_get(q->query, "model"), NULL), e);
    listener *l = ear < 0 ? NULL : bench_ear(s->bench, s->models, ear, s->env, e);
    clip sound = {0};
    heard h;
    if (!l)
        return false;
    if (q->n == 0)
        return err_set(e, ERR_EMPTY, "the body is empty; send the bytes of a sound file");
    if (!listener_hear_file(l, q->path, LISTEN_FRAMES, &sound, &h, e))
        return unnamed(q->path, e);
    tell(q, s->models->ears[ear], &sound, &h, a);
    return true;
}

const route route_predict = {
    .method = "POST",
    .path = "/predict",
    .summary = "What a model hears in a sound file (?model=NAME: another than the first)",
    .takes = TAKES_SOUND,
    .works = true,
    .gives = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},\"label\":{"
             "\"type\":[\"string\",\"null\"]},\"probabilities\":{\"type\":[\"object\",\"null\"]},"
             "\"valence\":{\"type\":\"number\"},\"arousal\":{\"type\":\"number\"},\"model\":{"
             "\"type\":\"string\"},\"seconds\":{\"type\":\"number\"}}}",
    .run = run,
};
