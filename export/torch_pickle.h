// SPDX-License-Identifier: GPL-3.0-or-later
// torch_pickle.h: what torch.save() pickles of a state_dict, by a machine that knows no more than
// that: tensors, OrderedDict, and plain values. A pickle is a program, and unpickling one may call
// anything (https://docs.python.org/3/library/pickle.html); here a name that is none of those below
// ends it, and nothing is ever called.
//
//     collections.OrderedDict            torch._utils._rebuild_tensor_v2, _v3
//     torch.FloatStorage ... LongStorage torch.storage.UntypedStorage, torch.float8_e4m3fn ...
//
// Python's pickletools names the instructions; those of text and of classes are refused, by name.
#ifndef KMIDI_EXPORT_TORCH_PICKLE_H
#define KMIDI_EXPORT_TORCH_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "export/element.h"

// A view of a storage: element [i, j] lies at offset + i stride[0] + j stride[1].
typedef struct torch_tensor {
    const element *type;
    const char *key; // the storage is the record data/KEY
    int64_t stored;  // elements of it
    int64_t offset;
    int rank;
    const int64_t *dim, *stride;
    int64_t count;
} torch_tensor;

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_NAME, // of the table in torch_names.c
    PICKLE_STORAGE,
    PICKLE_TENSOR,
} pickle_kind;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    union {
        int64_t i;
        const char *text;
        struct {
            pickle_value **list; // of a dict: key, value, key, value ...
            int n, room;
        };
        const struct torch_name *name;
        torch_tensor tensor; // of a storage: type, key and stored
    };
};

enum { PICKLE_MAX = 16 << 20 }; // bytes of a pickle that are taken

// Values are owned by `a`. ERR_FORMAT where it holds what no state_dict does, by its name;
// ERR_DAMAGED with the byte. `path` is for messages. A value may hold itself.
const pickle_value *pickle_read(const char *path, const uint8_t *bytes, size_t n, arena *a,
                                err *e) MUST_CHECK;
const char *pickle_says(pickle_kind k); // "a number"

// ---- For the machine (torch_names.c) ----

typedef struct torch_name torch_name;
const torch_name *torch_name_find(const char *module, const char *name); // NULL: refused
// What calling it gives, or of a persistent id the storage. False: `why` is what is wrong.
bool torch_call(const pickle_value *f, const pickle_value *args, pickle_value *out, arena *a,
                const char **why);
bool torch_storage(const pickle_value *id, pickle_value *out, const char **why);

// How one writes such a file, for sentences.
#define TORCH_SAVE "torch.save(model.state_dict(), FILE)"

#endif
