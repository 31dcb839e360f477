// SPDX-License-Identifier: GPL-3.0-or-later
// h5_verify.c: HDF5: every dataset of a file, held against its checksum.
#include <stdlib.h>

#include "base/digest.h"
#include "base/h5_internal.h"

enum { BLOCK_BYTES = 1 << 20 };

// Adds up a dataset of numbers in row-major order in boxes of at most a megabyte: whole planes
// below dimension `d`, a run along it, and an odometer over the dimensions above.
static bool sum_numbers(const h5_set *set, digest *sum, err *e)
{
    h5_shape s = set->shape;
    uint64_t inner = 1, most = BLOCK_BYTES / h5_type_size(s.type);
    int d = s.rank - 1;
    if (h5_count(s) == 0)
        return true;
    for (; d > 0 && inner * s.dim[d] <= most; d--)
        inner *= s.dim[d];
    uint64_t run = most / inner;
    hid_t type = h5_type_make(s.type, false);
    void *block = base_checked(malloc(BLOCK_BYTES), BLOCK_BYTES);
    hsize_t start[H5_RANK] = {0}, count[H5_RANK];
    bool ok = true, more = true;
    while (ok && more) {
        for (int i = 0; i < s.rank; i++)
            count[i] = i < d                       ? 1
                       : i > d                     ? s.dim[i]
                       : s.dim[i] - start[i] < run ? s.dim[i] - start[i]
                                                   : run;
        ok = h5_read_box(set, type, start, count, block, e);
        if (ok)
            digest_add(sum, block, (s.rank ? count[d] * inner : 1) * h5_type_size(s.type));
        more = false;
        for (int i = d; i >= 0 && !more; i--) {
            start[i] += count[i];
            more = start[i] < s.dim[i];
            if (!more)
                start[i] = 0;
        }
    }
    free(block);
    H5Tclose(type);
    return ok;
}

static bool sum_set(const h5_set *set, char hex[65], err *e)
{
    digest *sum = digest_open();
    bool ok = set->shape.type == H5_TEXT ? h5_texts_each(set, h5_text_sum, sum, e)
                                         : sum_numbers(set, sum, e);
    digest_close(sum, hex);
    return ok;
}

static bool verify_set(h5 *f, const char *name, err *e)
{
    h5_set set = {0};
    char actual[65];
    if (!h5_set_open(f, name, &set, e))
        return false;
    bool ok = sum_set(&set, actual, e);
    h5_set_close(&set);
    return ok && h5_checksum_ok(f, name, actual, e);
}

typedef struct verifying {
    h5 *f;
    h5_found found;
    bool strict; // every dataset has to carry a checksum
    err *e;
} verifying;

// Whether what has no checksum can be read. What is not read here, or was never written in full,
// may well be as its writer meant it.
static bool read_unsummed(verifying *v, const char *name)
{
    h5_set set = {0};
    char unused[65];
    err why = {0};
    v->found.unsummed++;
    bool opened = h5_set_open(v->f, name, &set, &why), ok = opened && sum_set(&set, unused, &why);
    if (opened)
        h5_set_close(&set);
    bool foreign = !ok && !v->f->io.failed && (!opened || why.code == ERR_FORMAT);
    v->found.unread += foreign;
    if (!ok && !foreign && v->e)
        *v->e = why;
    return ok || foreign;
}

static herr_t verify_object(hid_t root, const char *name, const H5O_info_t *info, void *user)
{
    verifying *v = user;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    v->found.datasets++;
    bool summed = v->strict || H5Aexists_by_name(root, name, H5_CHECKSUM, H5P_DEFAULT) > 0;
    return (summed ? verify_set(v->f, name, v->e) : read_unsummed(v, name)) ? 0 : 1;
}

static bool verify_all(verifying *v)
{
    h5_enter();
    herr_t status = H5Ovisit(v->f->id, H5_INDEX_NAME, H5_ITER_NATIVE, verify_object, v);
    if (status < 0)
        h5_fail(v->f, v->e, ERR_DAMAGED, "the file's structure cannot be read");
    h5_leave();
    return status == 0;
}

bool h5_verify(h5 *f, size_t *datasets, err *e)
{
    verifying v = {.f = f, .strict = true, .e = e};
    bool ok = verify_all(&v);
    *datasets = v.found.datasets;
    return ok;
}

bool h5_survey(h5 *f, h5_found *found, err *e)
{
    verifying v = {.f = f, .e = e};
    bool ok = verify_all(&v);
    *found = v.found;
    return ok;
}
