// SPDX-License-Identifier: GPL-3.0-or-later
// torch_file.h: a state_dict as torch.save() writes it since PyTorch 1.6: a zip file (archive.h).
//
//     NAME/data.pkl      the pickle: names, types, shapes, strides (torch_pickle.h)
//     NAME/data/0 ...    the storages, stored as they are, row-major, little-endian
//     NAME/byteorder     "little"
//     NAME/version       "3"
//     NAME/kmidi.json    ours alone: metadata, text by name. torch.load passes it over
//
// Reading: the file may come from anywhere. No view reaches out of its storage, one storage at a
// time is in memory, and what torch.save() has written of more than a state_dict is refused by
// name.
#ifndef KMIDI_EXPORT_TORCH_FILE_H
#define KMIDI_EXPORT_TORCH_FILE_H

#include "export/weights.h"

// A zip file, or one of PyTorch before 1.6 (which torch_file_open refuses), by its first n bytes;
// and what is called .pt or .pth.
bool torch_file_is(const char *path, const uint8_t *head, size_t n);
// ERR_MISSING, ERR_EMPTY, ERR_FORMAT (of another kind, or not a state_dict alone), ERR_DAMAGED.
weights *torch_file_open(const char *path, const uint8_t *head, size_t n, arena *a,
                         err *e) MUST_CHECK;
// The pickle alone, for tests: its tensors as `x` says them, and where each lies.
struct torch_tensor;
bool torch_file_parse(const char *path, const uint8_t *pickle, size_t n, arena *a, weights_index *x,
                      const struct torch_tensor ***tensors, err *e) MUST_CHECK;

// torch_write.c: written whole or not at all (base/file.h); storages begin at multiples of 64
// bytes, as torch's do. Equal weights under one name give equal files.
bool torch_file_write(const char *path, const weights_source *list, int n, const model_meta *meta,
                      err *e) MUST_CHECK;

#endif
