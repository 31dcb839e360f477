// SPDX-License-Identifier: GPL-3.0-or-later
// small_model.h: every model at a size that a test can afford.
#ifndef KMIDI_TESTS_MODELS_SMALL_MODEL_H
#define KMIDI_TESTS_MODELS_SMALL_MODEL_H

#include <string.h>

#include "models/model.h"

// Model i of models.def, NULL behind the last; one whose sizes are options with small ones, owned
// by `a`.
static inline const model_def *small_model(int i, arena *a)
{
    const model_def *m = model_at(i);
    if (!m || !m->n_options)
        return m;
    const char *sizes = !strcmp(m->name, "spectocloud_vit") ? "dim=32 depth=1"
                        : m->inputs[0].rank == 4
                            ? "bands=16 frames=18 width=4"
                            : "layers=2 dim=32 heads=2 ffn=48 cross=0 emotion_tokens=3 qk_norm=1";
    return model_configure(m, sizes, a, NULL);
}

#endif
