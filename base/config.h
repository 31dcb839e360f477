// SPDX-License-Identifier: GPL-3.0-or-later
// config.h: strict configuration. A table of keys (key.h) is the whole truth: parsing, errors, help
// and documentation come from it, and the struct that the program reads is filled by it.
//
//     static const config_key keys[] = {
//         {"optim", CONFIG_SECTION, .help = "The optimiser"},
//         {"optim.name", CONFIG_ENUM, "adamw", .choices = "adamw|adam|sgd", .help = "update rule"},
//         {"optim.lr", CONFIG_NUMBER, "1e-3", .min = 0, .max = 10, .help = "learning rate"},
//         {"data.train", CONFIG_TEXTS, .required = true, .help = "shards: paths or patterns"},
//     };
//     static const config_table table = {"training", keys, sizeof keys / sizeof *keys};
//
//     config *c = config_open(&table, &arena);
//     config_load(c, "configs/x.yaml", e) && config_override(c, "optim.lr=3e-4", e) &&
//         config_finish(c, e)
//     config_fill(c, keys, n, &options, e)         // every value whose row says where it goes
//     double lr = config_num(c, "optim.lr");       // or one at a time
//
// A file is YAML (libyaml, which only config_yaml.c knows): nested maps whose joined names
// ("optim.lr") are keys of the table. Precedence: defaults < the file that `extends:` names
// (relative to the file, or else a shipped one; one parent, any depth up to 8, no cycles) < the
// file < overrides. Shipped configurations (shipped.h) are known by name, too: config_load(c,
// "emotion_recognizer", e). `${VAR}` and
// `${VAR:-default}` in a value are replaced; an unset ${VAR} is refused. `null` puts a key (or a
// section) back to its default. A wrong name, type, value or range is ERR_CONFIG with file, line,
// column and the nearest right name; so are duplicate keys, anchors and aliases, and yes/no/on/off.
#ifndef KMIDI_BASE_CONFIG_H
#define KMIDI_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/key.h"
#include "base/str.h"

// A key that people know from elsewhere and that means nothing here; `why` ends the sentence
// "'NAME' is no key here: ...".
typedef struct config_nothing {
    const char *name, *why;
} config_nothing;

// A name that people bring from elsewhere, and what it is here: a key, or an option of the command
// ("--run-dir"). Names are compared without regard to case, '-' and '_', with or without sections
// before them.
typedef struct config_other {
    const char *name, *here; // name NULL ends the list
} config_other;

typedef struct config_rows {
    const config_key *keys;
    size_t n;
} config_rows;

typedef struct config_table {
    const char *what; // "training": for titles and errors
    const config_key *keys;
    size_t n;
    // Behind these: rows that others have (models, their sizes), part by part; false behind the
    // last. NULL: there are no others.
    bool (*more)(size_t part, config_rows *rows);
    const config_other *others;    // may be NULL
    const config_nothing *nothing; // NULL, or ended by a NULL name
} config_table;

typedef struct config config;

// Everything is owned by `a`. The table's defaults are checked here: a bad one is our own mistake.
config *config_open(const config_table *t, arena *a);
bool config_load(config *c, const char *path, err *e) MUST_CHECK;
// The same from memory; `name` stands for the file in errors.
bool config_parse(config *c, const char *text, size_t n, const char *name, err *e) MUST_CHECK;
// "optim.lr=3e-4", "optim.betas=[0.9, 0.95]", "optim.lr=null" or "~optim.lr" (back to the default).
bool config_override(config *c, const char *arg, err *e) MUST_CHECK;
// True for arguments that look like overrides: a name, then '='; or a leading '~'.
bool config_is_override(const char *arg);
bool config_finish(config *c, err *e) MUST_CHECK; // required keys are there

// Getters. A name that is not in the table, or of another type, is our own mistake (CHECK).
// has a value: from a default, file or override
bool config_given(const config *c, const char *name);
bool config_bool(const config *c, const char *name);
int64_t config_int(const config *c, const char *name);
double config_num(const config *c, const char *name);       // NUMBER, SECONDS; INT too
const char *config_text(const config *c, const char *name); // TEXT, ENUM
uint64_t config_bytes(const config *c, const char *name);
size_t config_texts(const config *c, const char *name, const char *const **list);
size_t config_nums(const config *c, const char *name, const double **list);
// "configs/x.yaml:7:3", "default": for errors found later
const char *config_where(const config *c, const char *name);

// Puts what is given of these keys into `s`, where their rows say; what is not given stays as it
// is. ERR_CONFIG: a range whose ends are the wrong way round. Texts and lists stay c's.
bool config_fill(const config *c, const config_key *keys, size_t n, void *s, err *e) MUST_CHECK;

// All keys with their values as YAML that config_parse reads back to the same.
void config_print(const config *c, strbuf *out);
// One value as YAML, cut to `size` bytes.
void config_show(const config *c, const char *name, char *out, size_t size);
// Names. What was meant by `name`: a key of that name or alias, of that last part, or known by it
// elsewhere; with `near`, one that is spelt nearly so. NULL: nothing is. Several keys may have one
// last part: `at` counts through them, 0 first.
const char *config_meant(const config_table *t, const char *name, bool near, int at);
// Row i of the whole table, in order; NULL behind the last.
const config_key *config_at(const config_table *t, size_t i);
// May a run that goes on have another value? Its own row says so, or that of a section around it.
bool config_resumable(const config_table *t, const config_key *k);
// by name or alias, sections too; NULL: none
const config_key *config_key_of(const config_table *t, const char *name);
// All there is to know of a key, or of a section and its keys.
void config_explain(const config_table *t, const config_key *k, strbuf *out);
const char *config_describe(const config_key *k, char out[256]); // "a whole number from 1 to 4096"
const char *config_default(const config_key *k);                 // "1e-3", "null", "(must be set)"

// The table as Markdown (docs/config.md) and as plain text (--help).
void config_markdown(const config_table *t, strbuf *out);
void config_help(const config_table *t, strbuf *out);

const char *config_library(void); // the library's version, as it calls itself

#endif
