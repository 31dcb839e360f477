// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_table.h: how a sweep is shown while it runs: one table on a terminal, a line for each event
// elsewhere.
#ifndef KMIDI_CMD_SWEEP_TABLE_H
#define KMIDI_CMD_SWEEP_TABLE_H

#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "train/sweep.h"

typedef struct sweep_table {
    cmd *c;
    progress *line;
    double began;   // hw_seconds
    int over_first; // runs that were over then
    bool said_waiting;
} sweep_table;

// For sweep_options; user is a sweep_table.
void sweep_table_event(void *user, const sweep *s, const sweep_item *item);
void sweep_table_tick(void *user, const sweep *s);
// "0007 (lr=0.001 seed=3)"
const char *sweep_table_name(const sweep_run *r, arena *a);

#endif
