// SPDX-License-Identifier: GPL-3.0-or-later
// perform_log.h: what `kmidi perform` says of a performance: a row a second as CSV, alerts while it
// goes on, the whole at its end.
#ifndef KMIDI_CMD_PERFORM_LOG_H
#define KMIDI_CMD_PERFORM_LOG_H

#include <stdio.h>

#include "cmd/cmd.h"
#include "perform/perform.h"

typedef struct perform_log {
    cmd *c;
    const char *path; // NULL: no CSV
    FILE *file;
    int fps; // that are wanted
    bool alerts;
    bool slow, full; // said already, and still so
} perform_log;

bool perform_log_open(perform_log *l, err *e) MUST_CHECK;
// Once a second is over: its row, and what is worth a line.
void perform_log_second(perform_log *l, perform *p, double seconds);
bool perform_log_close(perform_log *l, err *e) MUST_CHECK; // a log that was not opened is fine
void perform_log_abandon(perform_log *l);

typedef struct perform_outcome {
    const char *midi, *wav, *by, *svg, *film, *port; // NULL: none
    const char *strategy, *music, *pictures;         // who made them
    int64_t film_frames;
    size_t notes;
    double seconds; // of the performance
} perform_outcome;

void perform_report(const perform_log *l, perform *p, const perform_outcome *o);

#endif
