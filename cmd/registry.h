// SPDX-License-Identifier: GPL-3.0-or-later
// registry.h: registry.json, the list of the models in a folder of exports: for each what it is,
// how it was trained, and of every file that was exported the SHA-256. Written by `kmidi export
// --card`, beside the exports; the keys are those of KmiDi's models/registry.json, version 1.1.
//
//     {"registry_version": "1.1",
//      "models": [{"id": "emotion", "file": "emotion.json", "format": "rtneural-json",
//                  "model_type": "emotion_recognizer", "task": "classes",
//                  "input_size": 128, "output_size": 64, "status": "trained",
//                  "arch_hint": "...", "params_estimate": 403264, "inference_target_ms": 5,
//                  "training": {"dataset", "synthetic", "data_digest", "data_licence", "steps",
//                               "seed", "fingerprint", "exported_by"},
//                  "exports": {"sha256": "...", "onnx_path": "emotion.onnx", "onnx_sha256": "...",
//                              "onnx_bytes": 1618, "onnx_max_difference": 0},
//                  "integration": {"inputs": [...], "outputs": [...], "labels": [...]},
//                  "model_card": "emotion.md", "license": "of the data: CC-BY-4.0"}]}
//
// A model's id is the name of its exports without the ending. `file` is the export for RTNeural
// where there is one, else the latest; `sha256` is its. Of a folder (Core ML, adapters) it is the
// SHA-256 of the names of its files, each with a NUL and its bytes behind it, in their order.
// Models that other programs have put there stay as they are.
#ifndef KMIDI_CMD_REGISTRY_H
#define KMIDI_CMD_REGISTRY_H

#include "cmd/cmd.h"
#include "export/formats/format.h"

// One export, as it was written.
typedef struct registry_note {
    const export_task *task;
    const char *format; // "onnx-fp16"
    int64_t bytes;
} registry_note;

const char *registry_id(const char *out, arena *a);   // "emotion"
const char *registry_path(const char *out, arena *a); // FOLDER/registry.json
const char *registry_card(const char *out, arena *a); // FOLDER/emotion.md
// Exports into one folder at the same time write its registry one after the other: from reading it
// to saving it one holds the folder (flock), the others wait. -1 where it cannot be locked.
int registry_hold(const char *out, arena *a);
void registry_release(int fd); // accepts -1
// The registry of that folder, an empty one where there is none; json_free it. ERR_FORMAT where it
// is none.
json *registry_open(const char *out, arena *a, err *e) MUST_CHECK;
// Puts an export into it and gives the model's entry.
const json *registry_add(json *registry, const registry_note *n, arena *a, err *e) MUST_CHECK;
bool registry_save(const json *registry, const char *out, arena *a, err *e) MUST_CHECK;

#endif
