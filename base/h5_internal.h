// SPDX-License-Identifier: GPL-3.0-or-later
// h5_internal.h: what the files of h5.h share; the only header that sees HDF5's. Everything here is
// called with the lock held.
#ifndef KMIDI_BASE_H5_INTERNAL_H
#define KMIDI_BASE_H5_INTERNAL_H

#define H5_USE_110_API // Homebrew has a newer library, whose defaults differ
#include <hdf5.h>

#include "base/digest.h"
#include "base/h5.h"

enum { H5_KEPT = 8 };

// A dataset that a reader holds open: a loader asks for rows of the same few again and again.
typedef struct h5_set {
    h5 *f;
    char *name;
    hid_t id;
    h5_shape shape;
} h5_set;

// The file under the library (h5_driver.c).
typedef struct h5_io {
    int fd;
    bool write;
    int failed; // errno of the first call that the system refused; 0: none
} h5_io;

struct h5 {
    h5_io io;
    hid_t id;
    char *path, *temp; // temp: the name it is written under, NULL when it is read
    uint64_t size;     // bytes of a file that is read
    int version;       // of its superblock: 0 .. 3
    // of a file that is written: the first failure, after which h5_commit refuses
    err first;
    h5_set kept[H5_KEPT];
    int turn;
};

void h5_enter(void); // takes the lock, silences the library on this thread
void h5_leave(void);
// Sets `code` and "'PATH': WHAT: reason", the reason taken from the library's error stack,
// which every call into the library clears: to be called before anything is closed. A file that is
// written remembers it. Returns false.
bool h5_fail(h5 *f, err *e, err_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

// a property list to be closed: this file, no locks, format of HDF5 1.10
hid_t h5_file_access(h5_io *io);
bool h5_driver_set(hid_t access, h5_io *io);
hid_t h5_type_make(h5_type t, bool file); // a datatype to be closed
hid_t h5_text_type(size_t size);          // of a fixed length, or H5T_VARIABLE
// bytes of an element in memory; a pointer for H5_TEXT
size_t h5_type_size(h5_type t);
bool h5_type_find(hid_t type, h5_type *t);        // false when it is none of ours
uint64_t h5_count(h5_shape s);                    // elements
const char *h5_shape_text(h5_shape s, char *out); // "f32 [64, 128]"; `out` holds H5_SHAPE_TEXT
bool h5_link_exists(h5 *f, const char *name);

// ---- Writing
// properties by which an object is made, to be closed: no times, so that the same content gives the
// same bytes
hid_t h5_creation(hid_t of);
// A new dataset; `most` and `layout` for one that grows, NULL and a plain h5_creation else.
hid_t h5_set_make(h5 *f, const char *name, h5_shape s, const hsize_t *most, hid_t layout, err *e);
bool h5_text_on(h5 *f, hid_t object, const char *key, const char *value, err *e); // an attribute
void h5_add_elements(digest *d, h5_type type, const void *data, uint64_t n);
// The library never hears of a disk that fails, and goes on (h5_driver.c): every call that writes
// ends with this. False when not `ok`, or when something was not written, with what was wrong
// first.
bool h5_written(h5 *f, bool ok, err *e);

// ---- Reading
bool h5_tree_ok(h5 *f, err *e); // groups and datasets, not too many, nothing that leads elsewhere
// Whether the bytes of a dataset lie in this file, in a way that is read here; before anything else
// is asked of it.
bool h5_layout_ok(h5 *f, hid_t set, const char *name, bool *packed, err *e);
// and that there are enough of them
bool h5_storage_ok(h5 *f, hid_t set, const char *name, h5_shape s, bool packed, err *e);

// A dataset opened, its claims checked.
bool h5_set_open(h5 *f, const char *name, h5_set *set, err *e);
void h5_set_close(h5_set *set);
// Elements of the box [start, start + count) into `out`, one after the other.
bool h5_read_box(const h5_set *set, hid_t type, const hsize_t *start, const hsize_t *count,
                 void *out, err *e);
// The dataset `name`, opened and its claims checked; it stays the file's.
const h5_set *h5_set_get(h5 *f, const char *name, err *e);
bool h5_wrong_shape(h5 *f, const char *name, h5_shape is, h5_shape wanted, err *e);
bool h5_checksum_ok(h5 *f, const char *name, const char *actual, err *e);
// Calls `fn` with each text of a dataset in order.
typedef void h5_text_fn(void *user, const char *text);
bool h5_texts_each(const h5_set *set, h5_text_fn *fn, void *user, err *e);
// `n` references from row `first`, a whole piece that takes `bytes` in the file (h5_unpack.c).
// False when they cannot be had.
bool h5_unpack(hid_t set, uint64_t first, uint64_t n, uint64_t bytes, void *out);
void h5_text_sum(void *sum, const char *text); // an h5_text_fn that adds to a digest
bool h5_attr_text(h5 *f, const char *object, const char *key, arena *a, char **value, err *e);

enum { H5_SHAPE_TEXT = 256, H5_REFERENCE = 16 }; // bytes that stand for one text in a dataset
enum { H5_CHUNK_MOST = 16 << 20 };               // bytes of a piece that is unpacked at once
#define H5_CHECKSUM "sha256"

#endif
