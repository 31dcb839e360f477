// SPDX-License-Identifier: GPL-3.0-or-later
// h5_series.c: HDF5: datasets that grow by rows while they are written.
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/h5_internal.h"

struct h5_series {
    h5 *f;
    char *name;
    hid_t set;
    h5_shape shape; // dim[0] rows so far
    digest *sum;
    bool failed;
};

// Chunks of `chunk_rows`, or of about a roombyte when that is 0; of texts, 64 KiB.
static hid_t series_make(const h5_series *s, uint64_t chunk_rows, err *e)
{
    h5_shape row = s->shape;
    hsize_t chunk[H5_RANK], most[H5_RANK] = {H5S_UNLIMITED};
    row.dim[0] = 1;
    uint64_t row_bytes = h5_count(row) * h5_type_size(row.type),
             room = (uint64_t)1 << (row.type == H5_TEXT ? 15 : 20);
    if (!chunk_rows)
        chunk_rows = row_bytes && row_bytes < room ? room / row_bytes : 1;
    for (int i = 0; i < row.rank; i++) {
        most[i] = i ? row.dim[i] : H5S_UNLIMITED;
        chunk[i] = i ? row.dim[i] : chunk_rows;
    }
    hid_t layout = h5_creation(H5P_DATASET_CREATE), set = -1;
    if (layout < 0 || H5Pset_chunk(layout, row.rank, chunk) < 0)
        h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be made", s->name);
    else
        set = h5_set_make(s->f, s->name, s->shape, most, layout, e);
    H5Pclose(layout);
    return set;
}

h5_series *h5_series_open(h5 *f, const char *name, h5_shape row, uint64_t chunk_rows, err *e)
{
    CHECK(row.rank >= 0 && row.rank < H5_RANK && (row.type != H5_TEXT || row.rank == 0));
    h5_series *s = base_checked(calloc(1, sizeof *s), sizeof *s);
    s->f = f;
    s->name = base_checked(strdup(name), strlen(name));
    s->shape.type = row.type;
    s->shape.rank = row.rank + 1;
    memcpy(s->shape.dim + 1, row.dim, (size_t)row.rank * sizeof *row.dim);
    s->sum = digest_open();
    h5_enter();
    s->set = series_make(s, chunk_rows, e);
    h5_leave();
    if (s->set >= 0)
        return s;
    s->failed = true;
    if (h5_series_close(s, NULL))
        CHECK(false);
    return NULL;
}

static bool series_write(h5_series *s, const void *rows, uint64_t n, err *e)
{
    hsize_t start[H5_RANK] = {s->shape.dim[0]}, count[H5_RANK], total[H5_RANK];
    for (int i = 0; i < s->shape.rank; i++) {
        count[i] = i ? s->shape.dim[i] : n;
        total[i] = i ? s->shape.dim[i] : s->shape.dim[0] + n;
    }
    if (H5Dset_extent(s->set, total) < 0)
        return h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    hid_t space = H5Dget_space(s->set), memory = H5Screate_simple(s->shape.rank, count, NULL),
          type = h5_type_make(s->shape.type, false);
    bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dwrite(s->set, type, memory, space, H5P_DEFAULT, rows) >= 0;
    if (!ok)
        h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    return ok;
}

bool h5_series_add(h5_series *s, const void *rows, uint64_t n, err *e)
{
    if (n == 0)
        return true;
    h5_shape block = s->shape;
    block.dim[0] = n;
    h5_add_elements(s->sum, block.type, rows, h5_count(block));
    h5_enter();
    bool ok = h5_written(s->f, h5_count(block) == 0 || series_write(s, rows, n, e), e);
    h5_leave();
    s->shape.dim[0] += n;
    s->failed |= !ok;
    return ok;
}

bool h5_series_close(h5_series *s, err *e)
{
    char checksum[65];
    digest_close(s->sum, checksum);
    h5_enter();
    bool ok = !s->failed && h5_text_on(s->f, s->set, H5_CHECKSUM, checksum, e);
    if (s->set >= 0 && H5Dclose(s->set) < 0)
        ok = h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    ok = h5_written(s->f, ok, e);
    h5_leave();
    if (!ok && e)
        *e = s->f->first;
    free(s->name);
    free(s);
    return ok;
}
