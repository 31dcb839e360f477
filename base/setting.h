// SPDX-License-Identifier: GPL-3.0-or-later
// setting.h: structs of named settings that travel as text.
//
// The settings of a feature come from a config, go into a shard as attributes and into ONNX as
// metadata, are read back from both, and are compared. One table says what they are; parsing,
// printing, comparing and the reference page come from it.
//
//     static const setting_def table[] = {
//         {"n_fft", SETTING_INT, offsetof(mel_settings, n_fft), .least = 16, .most = 65536, ...}};
//     // "n_fff": unknown setting, nearest name, the list
//     if (!setting_parse(table, 1, &s, "n_fft", "1024", e)) ...
#ifndef KMIDI_BASE_SETTING_H
#define KMIDI_BASE_SETTING_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

typedef enum setting_kind { SETTING_INT, SETTING_NUM, SETTING_BOOL, SETTING_CHOICE } setting_kind;

typedef struct setting_def {
    const char *name;
    setting_kind kind;
    size_t at;          // offset in the struct: int, double, bool, int (the choice's index)
    double least, most; // of numbers, both allowed
    // the word for 0 where 0 means something of its own ("none", "auto"), or NULL
    const char *zero;
    const char *const *choices; // of SETTING_CHOICE, ended by NULL
    const char *help;           // one line for the reference page
} setting_def;

// Its row, or NULL with ERR_CONFIG: the nearest name and all of them.
const setting_def *setting_find(const setting_def *table, size_t n, const char *name,
                                err *e) MUST_CHECK;
// Parses `text` into the struct `s`. ERR_CONFIG says what is allowed. Numbers are in C's notation,
// booleans true or false.
bool setting_parse(const setting_def *d, void *s, const char *text, err *e) MUST_CHECK;
// The value as text that parses back to the same bits.
void setting_print(const setting_def *d, const void *s, strbuf *out);
// "n_fft=1024 hop_length=320 ...": every setting in the table's order. Two structs are equal if
// their lines are.
void setting_line(const setting_def *table, size_t n, const void *s, strbuf *out);

#endif
