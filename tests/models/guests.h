// SPDX-License-Identifier: GPL-3.0-or-later
// guests.h: models that the tests add to those of models.def; model_find knows them by their names.
#ifndef KMIDI_TESTS_MODELS_GUESTS_H
#define KMIDI_TESTS_MODELS_GUESTS_H

#include "models/model.h"

extern const model_def test_running_mean, test_two_groups;

#endif
