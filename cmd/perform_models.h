// SPDX-License-Identifier: GPL-3.0-or-later
// perform_models.h: the checkpoints of `kmidi perform`: who plays, who draws.
#ifndef KMIDI_CMD_PERFORM_MODELS_H
#define KMIDI_CMD_PERFORM_MODELS_H

#include "cmd/cmd.h"
#include "infer/trained.h"

typedef struct perform_models {
    trained *player, *melody, *harmony, *groove, *dynamics, *cloud; // NULL: none was named
} perform_models;

// By the options of their names, and --adapter. What was opened is there whatever comes back.
bool perform_models_open(perform_models *m, cmd *c, err *e) MUST_CHECK;
void perform_models_close(perform_models *m);

#endif
