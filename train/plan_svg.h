// SPDX-License-Identifier: GPL-3.0-or-later
// plan_svg.h: the memory of a step as it goes, as a picture: what stays, what is alive, the budget.
#ifndef KMIDI_TRAIN_PLAN_SVG_H
#define KMIDI_TRAIN_PLAN_SVG_H

#include "train/trainer.h"

typedef struct plan_picture {
    const char *title;
    const plan *plan;
    const cost_model *costs; // NULL: estimates
    trainer_memory memory;
    uint64_t budget;
} plan_picture;

void plan_svg(const plan_picture *of, strbuf *out);

#endif
