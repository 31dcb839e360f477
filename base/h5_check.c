// SPDX-License-Identifier: GPL-3.0-or-later
// h5_check.c: HDF5, part five: what a file from outside may not have.
//
// Our files are trees: groups, datasets, nothing else. HDF5 can do more, and each of it would make
// a stranger's file reach beyond itself or cost more than its size: links to other files and other
// names, arrays whose bytes lie elsewhere, filters that load code, groups that hold themselves,
// thousands of levels, names that a terminal obeys. So the whole tree is walked once when a file is
// opened, and a dataset's layout is looked at before anything else of it. Of filters, those are
// read that every HDF5 has, for files that h5repack or h5py packed.
#include <stdio.h>
#include <string.h>

#include "base/h5.h"
#include "base/h5_internal.h"

enum { LINKS_MOST = 1 << 14, DEPTH_MOST = 16, FILTERS_MOST = 4, INFLATE_MOST = 1100 };

typedef struct walking {
    h5 *f;
    int links, depth;
    err *e;
} walking;

// Control characters of ASCII, and those of Latin 1 as UTF-8 has them.
static bool is_plain(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
            return false;
    return true;
}

static bool link_ok(const walking *w, const char *name, const H5L_info_t *info)
{
    const char *path = w->f->path;
    if (w->links > LINKS_MOST)
        return err_set(
            w->e, ERR_FORMAT,
            "'%s' has more than %d objects, or one under that many names; kmidi did not write it",
            path, LINKS_MOST);
    if (!is_plain(name))
        return err_set(w->e, ERR_FORMAT,
                       "'%s' has a name with control characters in it; kmidi did not write it",
                       path);
    if (info->type != H5L_TYPE_HARD)
        return err_set(w->e, ERR_FORMAT,
                       "'%s': '%s' is a link to another %s, which is not followed; take a file "
                       "that holds all its data",
                       path, name, info->type == H5L_TYPE_SOFT ? "name" : "file");
    return true;
}

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *info, void *user);

static bool walk_group(walking *w, hid_t group)
{
    if (w->depth == DEPTH_MOST)
        return err_set(w->e, ERR_FORMAT,
                       "'%s' has groups nested more than %d deep; kmidi did not write it",
                       w->f->path, DEPTH_MOST);
    w->depth++;
    herr_t status = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, walk_link, w);
    w->depth--;
    return status == 0;
}

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *info, void *user)
{
    walking *w = user;
    H5O_info_t object;
    w->links++;
    if (!link_ok(w, name, info) ||
        H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return -1;
    if (object.type == H5O_TYPE_DATASET)
        return 0;
    if (object.type != H5O_TYPE_GROUP) {
        err_set(w->e, ERR_FORMAT,
                "'%s': '%s' is neither a group nor a dataset; kmidi did not write it", w->f->path,
                name);
        return -1;
    }
    hid_t inner = H5Gopen2(group, name, H5P_DEFAULT);
    bool ok = inner >= 0 && walk_group(w, inner);
    if (inner >= 0)
        H5Gclose(inner);
    return ok ? 0 : -1;
}

bool h5_tree_ok(h5 *f, err *e)
{
    err own = {0};
    walking w = {.f = f, .e = &own};
    hid_t root = H5Gopen2(f->id, "/", H5P_DEFAULT);
    bool ok = root >= 0 && walk_group(&w, root);
    if (!ok && !own.code)
        h5_fail(f, &own, ERR_DAMAGED, "the file's structure cannot be read");
    if (root >= 0)
        H5Gclose(root);
    if (!ok && e)
        *e = own;
    return ok;
}

// The bytes that shape `s` needs in the file; false when that is more than 2^60.
static bool bytes_needed(h5_shape s, uint64_t *bytes)
{
    uint64_t n = s.type == H5_TEXT ? H5_REFERENCE : h5_type_size(s.type), most = (uint64_t)1 << 60;
    bool none = false;
    for (int i = 0; i < s.rank; i++)
        none |= s.dim[i] == 0;
    for (int i = 0; !none && i < s.rank; i++) {
        if (n > most / s.dim[i])
            return false;
        n *= s.dim[i];
    }
    *bytes = none ? 0 : n;
    return true;
}

static bool filters_ok(h5 *f, hid_t layout, const char *name, err *e)
{
    int n = H5Pget_nfilters(layout);
    if (n < 0 || n > FILTERS_MOST)
        return h5_fail(f, e, ERR_FORMAT, "dataset '%s' is packed by %d filters", name, n);
    for (int i = 0; i < n; i++) {
        char filter[40] = "";
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t id = H5Pget_filter2(layout, (unsigned)i, &flags, &values, NULL,
                                         sizeof filter - 1, filter, &config);
        if (id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_SHUFFLE || id == H5Z_FILTER_FLETCHER32)
            continue;
        return h5_fail(f, e, ERR_FORMAT,
                       "dataset '%s' is packed by filter %d (%s), which is not read here; h5repack "
                       "-f GZIP=4 repacks it",
                       name, (int)id, is_plain(filter) && *filter ? filter : "no name");
    }
    return true;
}

// Bytes of a chunk, all of which are unpacked for one row of it.
static bool chunk_ok(h5 *f, hid_t layout, const char *name, hid_t set, err *e)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t type = H5Dget_type(set);
    uint64_t bytes = type >= 0 ? H5Tget_size(type) : 0;
    int rank = H5Pget_chunk(layout, H5S_MAX_RANK, dims);
    for (int i = 0; i < rank && bytes <= H5_CHUNK_MOST; i++)
        bytes = dims[i] > H5_CHUNK_MOST ? H5_CHUNK_MOST + 1 : bytes * dims[i];
    if (type >= 0)
        H5Tclose(type);
    return (rank > 0 && bytes <= H5_CHUNK_MOST) ||
           h5_fail(f, e, ERR_FORMAT,
                   "dataset '%s' is packed in pieces of more than %d MiB; h5repack -l makes "
                   "smaller ones",
                   name, H5_CHUNK_MOST >> 20);
}

bool h5_layout_ok(h5 *f, hid_t set, const char *name, bool *packed, err *e)
{
    hid_t layout = H5Dget_create_plist(set);
    H5D_layout_t kind = layout >= 0 ? H5Pget_layout(layout) : H5D_LAYOUT_ERROR;
    bool ok = kind == H5D_CONTIGUOUS || kind == H5D_CHUNKED || kind == H5D_COMPACT;
    if (!ok || H5Pget_external_count(layout) != 0)
        ok = h5_fail(f, e, ERR_FORMAT,
                     "the data of '%s' does not lie in this file; take one that holds all its data",
                     name);
    ok = ok && filters_ok(f, layout, name, e);
    *packed = ok && kind == H5D_CHUNKED && H5Pget_nfilters(layout) > 0;
    ok = ok && (!*packed || chunk_ok(f, layout, name, set, e));
    if (layout >= 0)
        H5Pclose(layout);
    return ok;
}

bool h5_storage_ok(h5 *f, hid_t set, const char *name, h5_shape s, bool packed, err *e)
{
    uint64_t need = 0, stored = H5Dget_storage_size(set);
    bool fits = bytes_needed(s, &need) && stored <= f->size;
    if (!fits || need > (packed ? stored * INFLATE_MOST : stored)) {
        char shape[H5_SHAPE_TEXT];
        return h5_fail(f, e, ERR_DAMAGED,
                       "dataset '%s' claims to be %s, but only %llu bytes are stored", name,
                       h5_shape_text(s, shape), (unsigned long long)stored);
    }
    return true;
}
