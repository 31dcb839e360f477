// SPDX-License-Identifier: GPL-3.0-or-later
// h5_about.c: HDF5: what a file of anyone holds, in words. Nothing of the data is read, so any type
// has a name here.
#include <stdio.h>
#include <string.h>

#include "base/h5_internal.h"
#include "base/str.h"

static const char *number_name(hid_t type, H5T_class_t class, arena *a)
{
    int bits = (int)(8 * H5Tget_size(type));
    const char *order = bits > 8 && H5Tget_order(type) == H5T_ORDER_BE ? " big-endian" : "";
    const char *sign = class == H5T_FLOAT ? "f" : H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "i";
    return arena_printf(a, "%s%d%s", sign, bits, order);
}

static const char *type_name(hid_t type, arena *a)
{
    static const char *const others[] = {
        [H5T_TIME] = "time",           [H5T_BITFIELD] = "bits", [H5T_OPAQUE] = "opaque",
        [H5T_REFERENCE] = "reference", [H5T_ENUM] = "enum",     [H5T_VLEN] = "list",
        [H5T_ARRAY] = "array"};
    H5T_class_t class = H5Tget_class(type);
    if (class == H5T_INTEGER || class == H5T_FLOAT)
        return number_name(type, class, a);
    if (class == H5T_STRING)
        return H5Tis_variable_str(type) > 0
                   ? "text"
                   : arena_printf(a, "text of %zu bytes", H5Tget_size(type));
    if (class == H5T_COMPOUND)
        return arena_printf(a, "record of %d fields", H5Tget_nmembers(type));
    return class > 0 && class < H5T_NCLASSES && others[class] ? others[class] : "unknown";
}

// "f32 [64, 128]", or "f32" of a single one.
static const char *words(hid_t type, hid_t space, arena *a)
{
    hsize_t dims[H5S_MAX_RANK];
    int rank = type >= 0 && space >= 0 ? H5Sget_simple_extent_dims(space, dims, NULL) : -1;
    if (rank < 0)
        return NULL;
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        return arena_printf(a, "%s, nothing in it", type_name(type, a));
    const char *s = arena_printf(a, rank ? "%s [" : "%s", type_name(type, a));
    for (int i = 0; i < rank; i++)
        s = arena_printf(a, "%s%llu%s", s, (unsigned long long)dims[i], i + 1 < rank ? ", " : "]");
    return s;
}

static const char *words_and_close(hid_t type, hid_t space, arena *a)
{
    const char *s = words(type, space, a);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return s;
}

static const char *object_words(hid_t o, arena *a)
{
    if (H5Iget_type(o) == H5I_GROUP)
        return "";
    return H5Iget_type(o) == H5I_DATASET ? words_and_close(H5Dget_type(o), H5Dget_space(o), a)
                                         : NULL;
}

static const char *attribute_words(hid_t o, const char *key, arena *a)
{
    hid_t x = H5Aexists(o, key) > 0 ? H5Aopen(o, key, H5P_DEFAULT) : -1;
    const char *s = x >= 0 ? words_and_close(H5Aget_type(x), H5Aget_space(x), a) : NULL;
    if (x >= 0)
        H5Aclose(x);
    return s;
}

bool h5_about(h5 *f, const char *object, const char *key, arena *a, const char **about, err *e)
{
    h5_enter();
    bool there = strcmp(object, "/") == 0 || h5_link_exists(f, object);
    hid_t o = there ? H5Oopen(f->id, object, H5P_DEFAULT) : -1;
    *about = o < 0 ? NULL : key ? attribute_words(o, key, a) : object_words(o, a);
    if (!*about)
        h5_fail(f, e, there ? ERR_DAMAGED : ERR_MISSING, "what '%s' is cannot be read", object);
    if (o >= 0)
        H5Oclose(o);
    h5_leave();
    return *about != NULL;
}
