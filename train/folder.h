// SPDX-License-Identifier: GPL-3.0-or-later
// folder.h: the folder of a run, which is its record.
//
//     config.yaml        every key with its value
//     environment.json   revision, libraries, processor, threads, command, digest of the data
//     log.txt            what was said, resumed runs behind one another
//     metrics.jsonl      one object a line: {"kind": "train"|"eval", "step", ...}; readable while
//                        the run goes on
//     events.out.*       the same for TensorBoard; keys and end of the run (hparams.h)
//     checkpoints/       last, previous, best, epoch-0010
//     report.html, curve.svg    for people, written anew after each evaluation (report.h)
//     profile.txt, profile.jsonl, trace.json    with --profile: where the time of a step goes
//                                               (profile_files.h)
//     DONE | STOPPED | ENDED | FAILED    how it ended, with the reason; none of them while it runs.
//                        ENDED: early, by a sweep, for good
//     .lock              who has it, or had it last (lock.h)
//     SAVE               make this file to have a checkpoint saved now; it is removed
//
// A folder that holds anything is not written into unless it is a run's and is to be replaced (what
// a run had written is removed, nothing else) or gone on with.
// One process at a time: the folder is locked.
#ifndef KMIDI_TRAIN_FOLDER_H
#define KMIDI_TRAIN_FOLDER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

typedef struct folder {
    const char *path;
    int64_t metrics_bytes; // length of metrics.jsonl
    int metrics, log, lock;
    const log_sink *inner; // what the run says goes there too; may be NULL
    log_sink sink;         // hand this one down
    strbuf line;           // a metrics line under construction, with room from the beginning
} folder;

// What a folder holds, for one who wants to begin or to go on there.
typedef enum folder_state {
    FOLDER_FREE,    // it is not there, or empty
    FOLDER_BEGUN,   // a run that has no checkpoint, or as much of one as a kill left
    FOLDER_SAVED,   // a run with checkpoints
    FOLDER_FOREIGN, // files that are no run's
} folder_state;
folder_state folder_look(const char *path);

typedef enum folder_how {
    FOLDER_NEW,       // only where nothing is
    FOLDER_OVERWRITE, // a run is replaced
    FOLDER_RESTART,   // one without a checkpoint is
} folder_how;
// Whether a run may begin there; ERR_USAGE names the ways that work.
bool folder_allows(const char *path, folder_how how, err *e) MUST_CHECK;

// "runs/NAME-20260131-235959", with "-2" behind it when that is taken.
char *folder_name(const char *name, arena *a);
folder *folder_create(const char *path, folder_how how, const log_sink *inner, arena *a,
                      err *e) MUST_CHECK;
// For going on; stale temporary files are removed, marks stay. metrics.jsonl is cut to what the
// checkpoint knows by folder_cut.
folder *folder_reopen(const char *path, const log_sink *inner, arena *a, err *e) MUST_CHECK;
bool folder_cut(folder *f, int64_t metrics_bytes, err *e) MUST_CHECK;
void folder_close(folder *f); // accepts NULL

const char *folder_file(const folder *f, const char *name, arena *a);
bool folder_write(const folder *f, const char *name, const char *text, size_t n, err *e) MUST_CHECK;
void folder_note(folder *f, const char *line); // into log.txt alone
// a line without newline; nothing is allocated
bool folder_metric(folder *f, const char *line, size_t n, err *e) MUST_CHECK;
// its last line; NULL without one
char *folder_last_metric(const folder *f, arena *a);
// metrics.jsonl is on the disk
bool folder_sync(folder *f, err *e) MUST_CHECK;
// a file SAVE was there; it is removed
bool folder_take_save(const folder *f);
// Replaces DONE, STOPPED, ENDED, FAILED by `state` with its reason; NULL removes them.
void folder_mark(const folder *f, const char *state, const char *reason);
// For a run that nobody has, which failed before it could say so itself: the folder is made where
// it is not there, locked, and marked FAILED.
bool folder_fail(const char *path, const char *reason, err *e) MUST_CHECK;
// For a run that has stopped and is not to go on: marked ENDED.
bool folder_end(const char *path, const char *reason, err *e) MUST_CHECK;

#endif
