// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint_write.c: the HDF5 file of a run, written whole.
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "checkpoint/checkpoint_internal.h"

static h5_shape one(h5_type type)
{
    return (h5_shape){type, 1, {1}};
}

static bool write_text(h5 *f, const char *group, const char *key, const char *value, err *e)
{
    char name[300];
    snprintf(name, sizeof name, "%s/%s", group, key);
    return h5_write(f, name, one(H5_TEXT), &value, e);
}

static bool write_meta(h5 *f, const checkpoint_content *c, err *e)
{
    if (!h5_set_text(f, "/", "format", CHECKPOINT_FORMAT, e) ||
        !h5_set_int(f, "/", "format_version", CHECKPOINT_VERSION, e) ||
        !h5_set_text(f, "/", "model", c->model->name, e))
        return false;
    if (!write_text(f, "meta", "model", c->model->name, e) ||
        !write_text(f, "meta", "config", c->config ? c->config : "", e) ||
        !write_text(f, "meta", "revision", version_revision(), e))
        return false;
    arena a = {.name = "sizes"};
    bool ok = !c->model->n_options ||
              write_text(f, "meta/about", CHECKPOINT_SIZES, model_sizes(c->model, &a), e);
    arena_free(&a);
    if (!ok)
        return false;
    for (int i = 0; c->meta && i < c->meta->n; i++)
        if (strcmp(c->meta->keys[i], CHECKPOINT_SIZES) &&
            !write_text(f, "meta/about", c->meta->keys[i], c->meta->values[i], e))
            return false;
    return true;
}

// One dataset a parameter under `group` (NULL: its own): from the weights' layout, or the
// gradient's (trainable ones only).
static bool write_params(h5 *f, const char *group, const params *p, const float *data,
                         bool gradient_layout, err *e)
{
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        char name[300];
        snprintf(name, sizeof name, "%s/%s", group ? group : checkpoint_group(q), q->name);
        int64_t offset = gradient_layout ? q->goffset : q->offset;
        if (offset >= 0 && !h5_write(f, name, checkpoint_shape(q), data + offset, e))
            return false;
    }
    return true;
}

static bool write_all(h5 *f, const checkpoint_content *c, err *e)
{
    char group[32];
    if (!write_meta(f, c, e) || !write_params(f, NULL, c->params, c->params->weights, false, e))
        return false;
    for (int m = 0; c->state && m < c->params->n_moments; m++) {
        snprintf(group, sizeof group, "optim/moment%d", m + 1);
        if (!write_params(f, group, c->params, c->params->moment[m], true, e))
            return false;
    }
    if (c->ema && !write_params(f, "ema", c->params, c->ema, true, e))
        return false;
    return !c->state || checkpoint_state_write(f, c->state, e);
}

bool checkpoint_save(const char *path, const checkpoint_content *c, err *e)
{
    h5 *f = h5_create(path, e);
    if (!f)
        return false;
    if (write_all(f, c, e))
        return h5_commit(f, e);
    h5_abandon(f);
    return false;
}
