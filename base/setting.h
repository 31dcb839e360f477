// SPDX-License-Identifier: GPL-3.0-or-later
// setting.h: structs of named settings that travel as text.
//
// The settings of a feature come from a config, go into a shard as attributes and into ONNX as
// metadata, are read back from both, and are compared; so do the sizes of a model. The rows of
// key.h say what they are and where they lie; here they are called by the last part of their name.
//
//     static const config_key table[] = {
//         {"mel.n_fft", CONFIG_INT, NULL, 16, 65536, KEY_AT(mel_settings, n_fft), .help = "..."}};
//     const config_key *k = setting_find(table, 1, "n_fft", e);   // "n_fff": the nearest, and all
//     if (!k || !setting_parse(k, &s, "1024", e)) ...
#ifndef KMIDI_BASE_SETTING_H
#define KMIDI_BASE_SETTING_H

#include "base/err.h"
#include "base/key.h"
#include "base/str.h"

// Its row, or NULL with ERR_CONFIG: the nearest name and all of them.
const config_key *setting_find(const config_key *table, size_t n, const char *name,
                               err *e) MUST_CHECK;
// Parses `text` into the struct `s`. ERR_CONFIG says what is allowed. Numbers are in C's notation,
// booleans true or false; bits (NUMBERS in an int64_t) are "0,2,4" or nothing.
bool setting_parse(const config_key *k, void *s, const char *text, err *e) MUST_CHECK;
// The value as text that parses back to the same bits.
void setting_print(const config_key *k, const void *s, strbuf *out);
// Whether it stands at what is not written (`unsaid` of its row).
bool setting_is_unsaid(const config_key *k, const void *s);
// "n_fft=1024 hop_length=320 ...": every setting in the table's order but those that go unsaid. Two
// structs are equal if their lines are.
void setting_line(const config_key *table, size_t n, const void *s, strbuf *out);
// The same with those, for people.
void setting_line_whole(const config_key *table, size_t n, const void *s, strbuf *out);
// A whole number where it lies: INT, ENUM, or bits.
int64_t setting_int(const config_key *k, const void *s);

#endif
