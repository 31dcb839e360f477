// SPDX-License-Identifier: GPL-3.0-or-later
// cmd.h: what a subcommand is, and what it may use. Only cmd/ prints to the terminal or exits.
//
// How to add a subcommand, three things:
//  1. write cmd/X.c with one definition:
//
//         static const option options[] = {
//             {"out", 'o', OPT_TEXT, "DIR", "where the shards go", .required = true},
//             {"jobs", 'j', OPT_INT, "N", "worker processes (default: one a core)"},
//             {0},
//         };
//         static bool run(cmd *c, err *e) { ... }
//         const command cmd_X = {
//             .name = "X", .summary = "Makes Y from Z",
//             .usage = "CONFIG --out DIR [key=value ...]", .options = options,
//             .args_min = 1, .args_max = 1, .keys = cmd_train_keys, .polls_stop = true,
//             .example = "kmidi X configs/data/synth.yaml --out shards", .run = run,
//         };
//
//  2. add its line CMD(X) to cmds.def;
//  3. add tests/cmd/X.c. Help, usage errors, suggestions and the check that the example parses come
//     by themselves.
//
// run returns false with an error: main prints "kmidi X: <sentence>" on stderr and leaves with
// err_status(e->code). Results go to stdout by cmd_print (for people) and cmd_json (for scripts,
// one object a line, only under --json); everything else goes to stderr.
#ifndef KMIDI_CMD_CMD_H
#define KMIDI_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/passes/precision.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/env.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

typedef struct cmd cmd;
typedef struct command command;

// ---- Options: data, from which parsing and help follow (options.c) ----

typedef enum option_type {
    OPT_FLAG,   // present or not
    OPT_TEXT,   // any text
    OPT_TEXTS,  // the same, as often as it is given (option_each)
    OPT_INT,    // a whole number
    OPT_COUNT,  // present or not, or with a whole number from 1 on: --profile, --profile=20
    OPT_NUM,    // a number
    OPT_BYTES,  // "6GiB", "512MB", bytes
    OPT_OUT,    // a file to be written; what cannot be written is refused before the command runs
    OPT_OUT_H5, // the same, of a kind that needs a regular file
    OPT_TYPES
} option_type;

typedef struct option {
    const char *name; // without dashes; NULL ends the table
    char letter;      // short form, or 0
    option_type type;
    const char *arg; // what help calls its value: "DIR"; NULL for a flag
    const char *help;
    bool required;
} option;

struct command {
    const char *name;
    const char *summary;       // one line, a sentence without full stop
    const char *usage;         // what stands behind "kmidi NAME"
    void (*told)(strbuf *out); // what stands for {} in help of its options; NULL: nothing
    const option *options;     // may be NULL; --help, --json, --quiet and --threads are everywhere
    int args_min, args_max;    // positional arguments; args_max < 0: any number
    // keys that arguments of the form key=value may name (cmd.overrides); NULL: there are none
    const config_table *(*keys)(arena *a);
    // asks env_stop in its loops: SIGINT, SIGTERM and their like then only ask (process.c)
    bool polls_stop;
    // stopped, it ends with 75: the same command (or --resume) goes on; else as the signal has it
    bool resumable;
    const char *details;       // more for --help, or NULL
    void (*more)(strbuf *out); // the same, made from a table, or NULL
    const char *example;       // command lines that work, one a line
    bool (*run)(cmd *c, err *e);
};

typedef struct option_value {
    const option *option;
    const char *text; // "" for a flag
    double num;
    int64_t i; // OPT_INT, OPT_BYTES
} option_value;

enum { CMD_OPTIONS = 48 };

struct cmd {
    const command *self;
    arena *arena; // lives as long as the command
    env env;      // log sink, stop flag, and the pool once cmd_threads was called
    bool json, quiet;
    int n_args, n_overrides;
    const char **args;      // positional arguments
    const char **overrides; // "optim.lr=3e-4"
    int n_values;
    option_value values[CMD_OPTIONS];
    struct console *console; // progress.c
    struct comm *ranks;      // of this command; NULL: it is alone (base/comm.h)
};

// Fills c from argv behind the command's name. ERR_USAGE names the argument, the nearest right one.
bool options_parse(cmd *c, const command *self, int argc, char **argv, err *e) MUST_CHECK;
extern const option options_common[];
bool option_given(const cmd *c, const char *name);
const char *option_text(const cmd *c, const char *name, const char *fallback);
int64_t option_int(const cmd *c, const char *name, int64_t fallback); // OPT_INT and OPT_BYTES
// OPT_COUNT: 0 when not given, `fallback` when given without a number
int option_count(const cmd *c, const char *name, int fallback);
double option_num(const cmd *c, const char *name, double fallback);
const char *option_each(const cmd *c, const char *name, int i); // of OPT_TEXTS; NULL: no more

// ---- The table of commands (help.c, help_keys.c) ----

#define CMD(name) extern const command cmd_##name;
#define CMD_GROUP(title)
#include "cmd/cmds.def"
#undef CMD
#undef CMD_GROUP

const command *command_at(int i);              // in the order of cmds.def; NULL behind the last
const command *command_find(const char *name); // NULL when there is none
const char *command_nearest(const char *name); // NULL when none is near
void help_overview(strbuf *out);
void help_command(const command *k, strbuf *out);
// `kmidi help optim.lr`: a key or section of any command's configuration; ERR_USAGE: there is none.
bool help_key(cmd *c, const char *name, err *e) MUST_CHECK;

// ---- What a command uses (progress.c, process.c) ----

// stdout, for people; silent under --json
void cmd_print(cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// stdout, one line, only under --json; frees the object either way
void cmd_json(cmd *c, json *object);
// stdout, bytes as they are (tables made by a library room)
void cmd_text(cmd *c, const char *s, size_t n);
// stderr; silent under --quiet
void cmd_say(cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// stderr, "kmidi NAME: <sentence>": failures after which the command goes on (a file of many)
void cmd_complain(cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Whether a file can be written there (file_ready); OPT_OUT has been asked already.
bool cmd_output(cmd *c, const char *path, bool seek, err *e) MUST_CHECK;
// Opens c->env.pool with --threads, else `count`, else (0) as many threads as cores for us.
bool cmd_threads(cmd *c, int count, err *e) MUST_CHECK;
const config_table *cmd_train_keys(arena *a);
// An option that takes fp32 (when not given), bf16 or, of weights, int8; else ERR_USAGE.
bool cmd_narrow(cmd *c, const char *name, bool weights, precision *p, err *e) MUST_CHECK;
// SIGUSR1 came since the last call: save and go on.
bool cmd_take_save(void);

#endif
