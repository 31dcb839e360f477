// SPDX-License-Identifier: GPL-3.0-or-later
// presets.c: the settings that KmiDi's clients offer for /spectocloud/render.
#include "serve/http/route.h"

static const struct {
    const char *name, *density;
    int particles, fps;
} presets[] = {
    {"preview", "sparse", 600, 8}, {"standard", "normal", 1200, 15}, {"high", "dense", 1800, 24}};

static bool run(asked *q, answer *a, err *e)
{
    json *all = json_object();
    (void)q, (void)e;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        json *j = json_object();
        json_set_str(j, "anchor_density", presets[i].density);
        json_set_int(j, "n_particles", presets[i].particles);
        json_set_int(j, "fps", presets[i].fps);
        json_set(all, presets[i].name, j);
    }
    answer_json(a, all);
    return true;
}

const route route_presets = {
    .method = "GET",
    .path = "/spectocloud/presets",
    .summary = "Settings to choose from for /spectocloud/render",
    .gives = "{\"type\":\"object\"}",
    .run = run,
};
