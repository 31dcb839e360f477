// SPDX-License-Identifier: GPL-3.0-or-later
// h5_unpack.c: HDF5: the references of texts out of a packed piece of a dataset, without the
// library following them (h5_text.c).
//
// The library undoes its filters only where it also follows what they packed. So the packed bytes
// are put, as they are, into a file in memory whose elements are bytes of nothing in particular,
// packed by the same filters; what is read there are the references.
#include <stdlib.h>

#include "base/h5_internal.h"

enum { FILTER_VALUES = 20 };

// Copies the filters that a piece went through: where `mask` has a bit, one was left out, as
// shuffling is for texts. One of them, shuffling, is set by the size of an element, which for texts
// may be that of a pointer: *size is that.
static bool same_filters(hid_t from, uint32_t mask, hid_t to, size_t *size)
{
    int n = H5Pget_nfilters(from);
    bool ok = n >= 0;
    for (int i = 0; ok && i < n; i++) {
        if (mask & 1u << i)
            continue;
        unsigned flags, config, value[FILTER_VALUES];
        size_t values = FILTER_VALUES;
        H5Z_filter_t id =
            H5Pget_filter2(from, (unsigned)i, &flags, &values, value, 0, NULL, &config);
        ok = id >= 0 && values <= FILTER_VALUES && H5Pset_filter(to, id, flags, values, value) >= 0;
        if (ok && id == H5Z_FILTER_SHUFFLE && values > 0)
            *size = value[0];
    }
    return ok && *size > 0 && H5_REFERENCE % *size == 0;
}

// A dataset of `n` references in one piece, packed as that of `set`, in `file`; *type is that of
// its elements.
static hid_t like(hid_t file, hid_t set, uint32_t mask, hsize_t n, hid_t *type)
{
    size_t size = H5_REFERENCE;
    hid_t from = H5Dget_create_plist(set), how = H5Pcreate(H5P_DATASET_CREATE), made = -1;
    if (from >= 0 && how >= 0 && same_filters(from, mask, how, &size)) {
        hsize_t elements = n * H5_REFERENCE / size;
        hid_t space = H5Screate_simple(1, &elements, NULL);
        *type = H5Tcreate(H5T_OPAQUE, size);
        if (space >= 0 && *type >= 0 && H5Pset_chunk(how, 1, &elements) >= 0)
            made = H5Dcreate2(file, "a", *type, space, H5P_DEFAULT, how, H5P_DEFAULT);
        H5Sclose(space);
    }
    H5Pclose(how), H5Pclose(from);
    return made;
}

static bool unpack(hid_t file, hid_t set, hsize_t first, hsize_t n, void *packed, uint64_t bytes,
                   void *out)
{
    uint32_t mask;
    hsize_t zero = 0;
    hid_t type = -1, copy = -1;
    if (H5Dread_chunk(set, H5P_DEFAULT, &first, &mask, packed) >= 0)
        copy = like(file, set, mask, n, &type);
    bool ok = copy >= 0 && H5Dwrite_chunk(copy, H5P_DEFAULT, 0, &zero, bytes, packed) >= 0 &&
              H5Dread(copy, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    if (copy >= 0)
        H5Dclose(copy);
    if (type >= 0)
        H5Tclose(type);
    return ok;
}

bool h5_unpack(hid_t set, uint64_t first, uint64_t n, uint64_t bytes, void *out)
{
    // packing adds a little at most
    if (n * H5_REFERENCE > H5_CHUNK_MOST || bytes > H5_CHUNK_MOST + H5_CHUNK_MOST / 64)
        return false;
    hid_t memory = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    if (memory >= 0 && H5Pset_fapl_core(memory, 1 << 16, 0) >= 0)
        file = H5Fcreate("unpacked", H5F_ACC_TRUNC, H5P_DEFAULT, memory);
    void *packed = base_checked(malloc(bytes + 1), bytes + 1);
    bool ok = file >= 0 && unpack(file, set, first, n, packed, bytes, out);
    free(packed);
    if (file >= 0)
        H5Fclose(file);
    H5Pclose(memory);
    return ok;
}
