// SPDX-License-Identifier: GPL-3.0-or-later
// key.h: one row a key. What a key is called, what it may be, what it is without being said, what
// it means and where its value goes stand in one row. A configuration (config.h), the settings of a
// feature (setting.h), the sizes of a model (models/model.h) and the keys of an adapter's file
// (lora/config_read.c) are tables of such rows; what reads, checks, prints, explains and copies
// them is written once.
//
//     typedef struct mel { int bands; double fmin; } mel;
//     static const config_key keys[] = {
//         {"mel", CONFIG_SECTION, .help = "Spectrograms"},
//         {"mel.bands", CONFIG_INT, "128", 1, 4096, KEY_AT(mel, bands), .help = "how many"},
//         {"mel.fmin", CONFIG_NUMBER, "0", 0, 384000, KEY_AT(mel, fmin), .help = "Hz"},
//     };
#ifndef KMIDI_BASE_KEY_H
#define KMIDI_BASE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum config_type {
    CONFIG_SECTION, // a heading: names a group and documents it; holds no value
    CONFIG_BOOL,    // true or false
    CONFIG_INT,     // 30000; 3e4 too
    CONFIG_NUMBER,  // 3e-4; with min < max: in [min, max]
    CONFIG_TEXT,
    CONFIG_ENUM,    // one of `choices`
    CONFIG_BYTES,   // 6GiB, 512MB, 1048576
    CONFIG_SECONDS, // 90, 90s, 30m, 3h30m, 2d, 01:30:00
    CONFIG_TEXTS,   // [a, b]; a single text is a list of one
    CONFIG_NUMBERS, // [0.9, 0.999]
    // {q_proj: 16, v_proj: 4}: names that no table knows, each with a number; in the order of the
    // file
    CONFIG_MAP,
    CONFIG_NAMES, // {anger: ANGRY}: the same with a text each
    CONFIG_TYPES
} config_type;

// ---- Where a value goes

// Lists and maps in a struct. A choice is a list of names, or a single text that is a regular
// expression.
typedef struct key_texts {
    const char *const *list;
    size_t n;
} key_texts;

typedef struct key_map {
    const char *const *keys;
    const double *values;
    size_t n;
} key_map;

typedef struct key_names {
    const char *const *keys, *const *values;
    size_t n;
} key_names;

typedef struct key_choice {
    key_texts names;
    const char *regex; // NULL: names
} key_choice;

typedef enum key_field {
    FIELD_NONE, // nowhere: code decides
    FIELD_BOOL,
    FIELD_INT, // enums too: the index of an ENUM's word
    FIELD_INT64,
    FIELD_UINT64,
    FIELD_FLOAT,
    FIELD_DOUBLE,
    FIELD_TEXT,
    FIELD_TEXTS,
    FIELD_CHOICE,
    FIELD_MAP,
    FIELD_NAMES
} key_field;

// The place of a struct's member, and what stands there. NUMBERS go into an array of as many as
// they are at most, or into an int64_t: then they are small whole numbers, bits of it.
#define KEY_AT(type, member)                                                                       \
    .at = offsetof(type, member), .field = _Generic(((type *)0)->member,                           \
        bool: FIELD_BOOL,                                                                          \
        int: FIELD_INT,                                                                            \
        unsigned: FIELD_INT,                                                                       \
        int *: FIELD_INT,                                                                          \
        int64_t: FIELD_INT64,                                                                      \
        uint64_t: FIELD_UINT64,                                                                    \
        float: FIELD_FLOAT,                                                                        \
        double: FIELD_DOUBLE,                                                                      \
        double *: FIELD_DOUBLE,                                                                    \
        const char *: FIELD_TEXT,                                                                  \
        key_texts: FIELD_TEXTS,                                                                    \
        key_choice: FIELD_CHOICE,                                                                  \
        key_map: FIELD_MAP,                                                                        \
        key_names: FIELD_NAMES)

// ---- A row

typedef struct config_key {
    const char *name; // "train.early_stopping.patience"; keys of one section stand together
    config_type type;
    // the default, as it is written in YAML; NULL: none (config_given tells; getters then give 0,
    // NULL or an empty list)
    const char *value;
    // INT, NUMBER, NUMBERS and MAP (each), BYTES, SECONDS: the range; min == max: any
    double min, max;
    const char *choices; // ENUM: "adamw|adam|sgd"; TEXTS: each one of these where given
    int least, most;     // TEXTS, NUMBERS, maps: how many; most 0: any
    // of a setting (setting.h) that came later: the value that files from before it mean. It is not
    // written where it stands, so that they and newer ones say the same; NULL: always written
    const char *unsaid;
    const char *alias; // another full name that is understood, or NULL
    bool required;     // config_finish refuses a configuration without it
    bool range;        // NUMBERS: [lowest, highest], in this order
    bool resumable;    // a run that goes on may have another value; of a section: its keys
    // the default of a struct's owner (a model's size), which a configuration does not know
    const char *own;
    // the word for 0 where 0 means something of its own ("none", "auto"), or NULL
    const char *zero;
    size_t at; // KEY_AT
    key_field field;
    const char *help; // one line
} config_key;

// A value as read, before it goes anywhere; which members count follows from the row's type.
typedef struct key_value {
    bool b;
    int64_t i;
    uint64_t u;
    double d;
    const char *s;
    size_t n;           // TEXTS, NUMBERS, MAP, NAMES
    bool list;          // TEXTS: written as a list, not as a single text
    const char **texts; // of maps: the names
    double *nums;
    const char **words; // NAMES: what stands behind them
} key_value;

// Puts the value into its place in `s`; does nothing where the row has none.
void key_store(const config_key *k, const key_value *v, void *s);
// The last part of its name: what it is called where the section goes without saying.
const char *key_leaf(const char *name);
// Inside the section that is called `section`?
bool key_within(const config_key *k, const char *section);
// Choices: their number, the index of one (-1: none of them), and one by its index, `n` characters.
int key_choices(const char *choices);
int key_choice_index(const char *choices, const char *s);
const char *key_choice_at(const char *choices, int i, int *n);

#endif
