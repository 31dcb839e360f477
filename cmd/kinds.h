// SPDX-License-Identifier: GPL-3.0-or-later
// kinds.h: the kinds of files that `kmidi inspect` describes and `kmidi verify` checks.
//
// To add one: a definition, and its line in the table of kinds.c. A file's first bytes decide, so a
// name proves nothing.
#ifndef KMIDI_CMD_KINDS_H
#define KMIDI_CMD_KINDS_H

#include "cmd/cmd.h"

typedef struct file_kind {
    const char *name;
    // Puts facts into `o`, in the order in which people read them.
    bool (*describe)(const char *path, json *o, arena *a, err *e);
    // Reads the whole file. The error names what is wrong.
    bool (*verify)(const char *path, arena *a, err *e);
    // The same, where it may have to say more of a sound file than that: *remark is a sentence, or
    // stays NULL. Then `verify` is NULL.
    bool (*examine)(const char *path, const char **remark, arena *a, err *e);
} file_kind;

extern const file_kind kind_shard, kind_checkpoint, kind_hdf5, kind_onnx, kind_safetensors,
    kind_torch, kind_coreml, kind_adapter, kind_midi, kind_audio;

// ERR_MISSING, ERR_EMPTY, ERR_IO. What is nothing else is taken for audio: its error then says that
// it is not.
const file_kind *kind_of(const char *path, err *e) MUST_CHECK;

#endif
