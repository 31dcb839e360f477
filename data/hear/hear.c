// SPDX-License-Identifier: GPL-3.0-or-later
// hear.c: keys of the metadata: `window`, `eval_views` (0: as many as cover), `eval_crop`.
#include "data/hear/hear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const crops[] = {[LOADER_LAST] = "last",
                                    [LOADER_CENTER] = "center",
                                    [LOADER_FIRST] = "first",
                                    [LOADER_RANDOM] = "random"};

void hear_write(const hear_rule *h, model_meta *meta)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)h->window);
    meta_set(meta, "window", text);
    snprintf(text, sizeof text, "%d", h->views);
    meta_set(meta, "eval_views", text);
    meta_set(meta, "eval_crop", crops[h->crop]);
}

static bool read_number(const model_meta *meta, const char *key, int64_t missing, int64_t most,
                        int64_t *out)
{
    const char *text = meta_get(meta, key);
    char *end = NULL;
    long long v = text ? strtoll(text, &end, 10) : missing;
    *out = v;
    return v >= 0 && v <= most && (!text || (end != text && !*end));
}

bool hear_read(const model_meta *meta, const char *path, hear_rule *h, err *e)
{
    int64_t views;
    const char *crop = meta_get(meta, "eval_crop");
    *h = (hear_rule){.crop = LOADER_LAST};
    for (int i = 0; crop && i < LOADER_RANDOM; i++)
        if (!strcmp(crop, crops[i]))
            h->crop = (loader_crop)i;
    if (!read_number(meta, "window", 0, 1 << 20, &h->window) ||
        !read_number(meta, "eval_views", 1, HEAR_VIEWS_MOST, &views))
        return err_set(e, ERR_DAMAGED,
                       "'%s': what it says about its windows makes no sense; take another "
                       "checkpoint of the run",
                       path);
    h->views = (int)views;
    return true;
}
