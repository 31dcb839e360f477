// SPDX-License-Identifier: GPL-3.0-or-later
// metrics_cloud.h: a cloud that was drawn beside the one that is meant (TASK_CLOUDS).
#ifndef KMIDI_TRAIN_METRICS_CLOUD_H
#define KMIDI_TRAIN_METRICS_CLOUD_H

#include <stdint.h>

typedef struct cloud_distance {
    double chamfer; // of the places: squared, both ways added
    double colours; // mean square of the four numbers
    double loss;    // chamfer + 0.5 colours + 0.3 smooth L1 of the rest
} cloud_distance;

// Of two clouds of `numbers` / 10 points, ten numbers each. NaN in, NaN out.
cloud_distance cloud_compare(const float *said, const float *meant, int64_t numbers);

#endif
