// SPDX-License-Identifier: GPL-3.0-or-later
// predict_groups.h: what a model of several groups hears (models/model.h): a name or a level of
// each group, at the place of a JSON object that the model's table says, and which groups it was
// never taught.
#ifndef KMIDI_CMD_PREDICT_GROUPS_H
#define KMIDI_CMD_PREDICT_GROUPS_H

#include "cmd/cmd.h"
#include "infer/listen.h"

void predict_groups_say(cmd *c, const trained *d, const char *file, const heard *h);

#endif
