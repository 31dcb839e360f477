// SPDX-License-Identifier: GPL-3.0-or-later
// predict.c: a sound file in, what a model hears in it out, as `kmidi predict --json` says it. The
// body is the file's bytes; ?model=NAME asks another model than the first. Files of several
// requests are heard together, where they are brief.
#include <stdio.h>
#include <string.h>

#include "infer/heard.h"
#include "serve/http/route.h"

// Frames of a sound that others do not wait for: 20 s of the recogniser's.
enum { BRIEF = 1024 };

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

static void answer_one(const asked *q, const trained *d, listen_file *f, answer *a)
{
    if (q->n == 0)
        err_set(&f->e, ERR_EMPTY, "the body is empty; send the bytes of a sound file");
    else if (f->ok)
        tell(q, d, &f->info, &f->heard, a);
    else
        unnamed(q->path, &f->e);
    if (!a->status)
        answer_error(a, q->id, &f->e);
}

static void together(asked *q, answer *a, int n)
{
    const house *s = q->house;
    err e = {0};
    int ear = shelf_ear(s->models, json_str(json_get(q->query, "model"), NULL), &e);
    listener *l = ear < 0 ? NULL : bench_ear(s->bench, s->models, ear, s->env, &e);
    listen_file files[ROUTE_TOGETHER] = {{0}};
    for (int i = 0; i < n; i++)
        files[i].path = q[i].path, files[i].brief = n > 1;
    if (l)
        listener_hear_files(l, files, n, n > 1 ? BRIEF : LISTEN_FRAMES);
    for (int i = 0; i < n; i++)
        if (!l)
            answer_error(&a[i], q[i].id, &e);
        else if (!files[i].longer)
            answer_one(&q[i], s->models->ears[ear], &files[i], &a[i]);
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
    .together = together,
};
