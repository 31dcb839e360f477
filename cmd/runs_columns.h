// SPDX-License-Identifier: GPL-3.0-or-later
// runs_columns.h: the columns of `kmidi runs`: figures of a run, then every key of its
// configuration.
#ifndef KMIDI_CMD_RUNS_COLUMNS_H
#define KMIDI_CMD_RUNS_COLUMNS_H

#include "cmd/cmd.h"
#include "train/runs.h"

// Columns before the keys: key k is column COLUMNS + k.
enum { COLUMNS = 15, RUNS_CELL = 2048 };

typedef enum runs_kind { RUNS_TEXT, RUNS_NUMBER, RUNS_COUNT } runs_kind;

typedef struct cell {
    char text[RUNS_CELL];
    double number; // NAN: it is none
} cell;

void cell_text(cell *c, const char *text); // which may be a number all the same
void cell_number(cell *c, double x, int digits);

// A column by its name, a key by its name or its end; -1 with ERR_USAGE.
int runs_column(cmd *c, const runs *r, const char *name, err *e);
const char *runs_column_name(const runs *r, int column, runs_kind *kind);
void runs_cell(const runs *r, size_t i, int column, cell *out);

// ---- The list on stdout (runs_print.c)

void runs_print_json(cmd *c, const runs *r);
void runs_print_csv(cmd *c, const runs *r);
void runs_print_table(cmd *c, const runs *r);

#endif
