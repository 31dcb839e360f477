// SPDX-License-Identifier: GPL-3.0-or-later
// hear.c: the keys of hear.h, one function a group. The file may come from anywhere: every number
// is checked.
#include "data/hear/hear_internal.h"

#include <string.h>

#include "base/json.h"

static const char *const crops[LOADER_RANDOM] = {
    [LOADER_LAST] = "last", [LOADER_CENTER] = "center", [LOADER_FIRST] = "first"};

void hear_write(const hear_rule *h, model_meta *meta)
{
    CHECK(h->crop != LOADER_RANDOM);
    if (h->labels)
        meta_set_texts(meta, "labels", h->labels, h->n_labels);
    if (h->n_groups)
        hear_write_groups(h, meta);
    if (h->mean) {
        meta_set_floats(meta, "mean", h->mean, h->n_bands);
        meta_set_floats(meta, "deviation", h->deviation, h->n_bands);
    }
    if (h->settings)
        meta_set(meta, "settings", h->settings);
    if (h->window)
        meta_set_int(meta, "window", h->window);
    meta_set_int(meta, "eval_views", h->views);
    meta_set(meta, "eval_crop", crops[h->crop]);
    meta_set_int(meta, "eval_windows", h->eval_windows);
    if (h->untold)
        meta_set_int(meta, "untold", 1);
}

static bool read_labels(const model_meta *meta, arena *a, hear_rule *h, err *e)
{
    const char **labels;
    bool ok = meta_texts(meta, "labels", a, &labels, &h->n_labels, e);
    h->labels = labels;
    return ok;
}

static bool read_bands(const model_meta *meta, arena *a, hear_rule *h, err *e)
{
    float *mean, *deviation;
    size_t n;
    if (!meta_floats(meta, "mean", a, &mean, &h->n_bands, e) ||
        !meta_floats(meta, "deviation", a, &deviation, &n, e))
        return false;
    if (n != h->n_bands || !mean != !deviation)
        return err_set(e, ERR_DAMAGED, "its 'mean' is of %zu bands and its 'deviation' of %zu",
                       h->n_bands, n);
    for (size_t i = 0; i < n; i++)
        if (!(deviation[i] > 0))
            return err_set(e, ERR_DAMAGED, "its 'deviation' of band %zu is %g, not above 0", i,
                           (double)deviation[i]);
    h->mean = mean, h->deviation = deviation;
    return true;
}

static bool read_settings(const model_meta *meta, arena *a, hear_rule *h, err *e)
{
    const char *text = meta_get(meta, "settings");
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    bool ok = !text || json_type(j) == JSON_OBJECT;
    json_free(j);
    h->settings = text ? arena_strdup(a, text) : NULL;
    return ok || err_set(e, ERR_DAMAGED, "its 'settings' are not a JSON object");
}

static bool read_crop(const model_meta *meta, hear_rule *h, err *e)
{
    const char *text = meta_get(meta, "eval_crop");
    h->crop = LOADER_LAST;
    for (int i = 0; i < LOADER_RANDOM; i++)
        if (!text || !strcmp(text, crops[i])) {
            h->crop = text ? (loader_crop)i : LOADER_LAST;
            return true;
        }
    return err_set(e, ERR_DAMAGED, "its 'eval_crop' is '%.40s', not first, center or last", text);
}

static bool read_windows(const model_meta *meta, hear_rule *h, err *e)
{
    int64_t views, untold;
    if (!meta_int(meta, "window", 0, 0, HEAR_WINDOW_MOST, &h->window, e) ||
        !meta_int(meta, "eval_views", 1, 0, HEAR_VIEWS_MOST, &views, e) ||
        !meta_int(meta, "eval_windows", 0, 0, INT32_MAX, &h->eval_windows, e) ||
        !meta_int(meta, "untold", 0, 0, 1, &untold, e))
        return false;
    h->untold = untold;
    h->views = (int)views;
    return read_crop(meta, h, e);
}

bool hear_read(const model_meta *meta, const char *path, arena *a, hear_rule *h, err *e)
{
    err inner = {0};
    *h = (hear_rule){0};
    return (read_labels(meta, a, h, &inner) && hear_read_groups(meta, a, h, &inner) &&
            read_bands(meta, a, h, &inner) && read_settings(meta, a, h, &inner) &&
            read_windows(meta, h, &inner)) ||
           err_set(e, inner.code, "'%s': %s; take another checkpoint of the run", path, inner.text);
}

bool hear_settings(const char *settings, const char *path, const char *name, arena *a,
                   hear_feature *f, err *e)
{
    json *all = settings ? json_parse(settings, strlen(settings), e) : NULL;
    const json *own = json_get(all, name);
    bool ok = !settings || all;
    *f = (hear_feature){.def = ok ? feature_find(name, e) : NULL, .said = own != NULL};
    f->settings = f->def ? feature_settings(f->def, a) : NULL;
    ok = f->settings && (!own || feature_from_json(f->def, f->settings, own, e));
    json_free(all);
    return ok || err_trail(e, "feature settings of '%s'", path);
}
