// SPDX-License-Identifier: GPL-3.0-or-later
// shelf.c: see shelf.h.
#include "serve/http/shelf.h"

#include <string.h>

#include "base/names.h"

static const struct {
    const char *part;
    model_makes makes; // MAKES_NONE: it draws clouds
} places[SHELF_PLACES] = {
    [SHELF_MELODY] = {"melody", MAKES_NOTES},  [SHELF_HARMONY] = {"harmony", MAKES_CHORDS},
    [SHELF_GROOVE] = {"groove", MAKES_GROOVE}, [SHELF_DYNAMICS] = {"dynamics", MAKES_DYNAMICS},
    [SHELF_PLAYER] = {"player", MAKES_EVENTS}, [SHELF_CLOUDS] = {"clouds", MAKES_NONE}};

const trained *shelf_by(const shelf *s, shelf_place place)
{
    return s->at[place];
}

const char *shelf_part(shelf_place place)
{
    return places[place].part;
}

static bool put_ear(shelf *s, trained *d, err *e)
{
    for (int i = 0; i < s->n_ears; i++)
        if (s->ears[i]->model == d->model)
            return err_set(e, ERR_MISMATCH,
                           "'%s' and '%s' are both of %s; clients name models by their kind, so "
                           "name one of them",
                           s->ears[i]->path, d->path, d->model->name);
    if (s->n_ears == SHELF_EARS)
        return err_set(e, ERR_USAGE, "a service has at most %d models that listen", SHELF_EARS);
    if (!trained_mel(d, e))
        return false;
    s->ears[s->n_ears++] = d;
    return true;
}

bool shelf_put(shelf *s, trained *d, err *e)
{
    bool clouds = d->model->task == TASK_CLOUDS;
    int at = SHELF_CLOUDS;
    for (int i = 0; !clouds && i < SHELF_CLOUDS; i++)
        at = places[i].makes == d->model->makes ? i : at;
    if (!clouds && at == SHELF_CLOUDS)
        return put_ear(s, d, e);
    if (s->at[at])
        return err_set(e, ERR_MISMATCH,
                       "'%s' and '%s' are both of %s, and a piece has one; name one of them",
                       s->at[at]->path, d->path, d->model->name);
    if (clouds && !trained_mel(d, e))
        return false;
    s->at[at] = d;
    return true;
}

int shelf_ear(const shelf *s, const char *name, err *e)
{
    const char *names[SHELF_EARS];
    char guess[NAME_GUESS];
    for (int i = 0; i < s->n_ears; i++) {
        names[i] = s->ears[i]->model->name;
        if (!name || !strcmp(name, names[i]))
            return i;
    }
    if (s->n_ears == 0)
        err_set(e, ERR_MISSING,
                "no model that listens is open; start 'kmidi serve' with an emotion_recognizer");
    else
        err_set(e, ERR_MISSING, "no model '%.60s' listens here%s", name,
                name_guess(guess, name, names, (size_t)s->n_ears));
    return -1;
}
