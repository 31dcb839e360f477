// SPDX-License-Identifier: GPL-3.0-or-later
// h5_names.c: HDF5, part three: attributes, and the names of what is there.
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "base/h5_internal.h"

enum { TEXT_MOST = 64 << 20 };

bool h5_has(h5 *f, const char *name)
{
    h5_enter();
    bool has = strcmp(name, "/") == 0 || h5_link_exists(f, name);
    h5_leave();
    return has;
}

// Opens attribute `key` of `object`; -1 with a sentence when there is none.
static hid_t attribute_open(h5 *f, const char *object, const char *key, err *e)
{
    bool root = strcmp(object, "/") == 0;
    hid_t o = root || h5_link_exists(f, object) ? H5Oopen(f->id, object, H5P_DEFAULT) : -1, a = -1;
    htri_t there = o < 0 ? 0 : H5Aexists(o, key);
    if (o < 0)
        h5_fail(f, e, ERR_MISSING, "there is no '%s' in the file", object);
    else if (there < 0)
        h5_fail(f, e, ERR_DAMAGED, "the attributes of '%s' cannot be read", object);
    else if (!there)
        h5_fail(f, e, ERR_MISSING, "'%s' has no attribute '%s'", object, key);
    else if ((a = H5Aopen(o, key, H5P_DEFAULT)) < 0)
        h5_fail(f, e, ERR_DAMAGED, "attribute '%s' of '%s' cannot be read", key, object);
    if (o >= 0)
        H5Oclose(o);
    return a;
}

static bool is_single(hid_t a)
{
    hid_t space = H5Aget_space(a);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    if (space >= 0)
        H5Sclose(space);
    return one;
}

// Ours have a fixed length. A variable one lies in the heap that the library reads with too much
// trust (h5_text.c): refused.
static bool read_text(h5 *f, hid_t a, hid_t type, arena *out, char **value)
{
    size_t size = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0 || size == 0 || size > TEXT_MOST || size > f->size)
        return false;
    *value = arena_alloc(out, size + 1, 1);
    return H5Aread(a, type, *value) >= 0;
}

bool h5_attr_text(h5 *f, const char *object, const char *key, arena *out, char **value, err *e)
{
    hid_t a = attribute_open(f, object, key, e);
    if (a < 0)
        return false;
    hid_t type = H5Aget_type(a);
    bool ok = false;
    if (type < 0 || !is_single(a) || H5Tget_class(type) != H5T_STRING)
        h5_fail(f, e, ERR_FORMAT, "attribute '%s' of '%s' is not a text", key, object);
    else
        ok = read_text(f, a, type, out, value) ||
             h5_fail(f, e, ERR_DAMAGED, "attribute '%s' of '%s' cannot be read", key, object);
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(a);
    return ok;
}

// A number of class `only`, or of either class when that is H5T_NO_CLASS, as `as`.
static bool attr_number(h5 *f, const char *object, const char *key, H5T_class_t only, hid_t as,
                        void *value, err *e)
{
    hid_t a = attribute_open(f, object, key, e);
    if (a < 0)
        return false;
    hid_t type = H5Aget_type(a);
    H5T_class_t is = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    bool ok = false;
    if (!is_single(a) || (is != H5T_INTEGER && (is != H5T_FLOAT || only == H5T_INTEGER)))
        h5_fail(f, e, ERR_FORMAT, "attribute '%s' of '%s' is not %s", key, object,
                only == H5T_INTEGER ? "a whole number" : "a number");
    else
        ok = H5Aread(a, as, value) >= 0 ||
             h5_fail(f, e, ERR_DAMAGED, "attribute '%s' of '%s' cannot be read", key, object);
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(a);
    return ok;
}

bool h5_get_text(h5 *f, const char *object, const char *key, arena *a, char **value, err *e)
{
    h5_enter();
    bool ok = h5_attr_text(f, object, key, a, value, e);
    h5_leave();
    return ok;
}

bool h5_get_int(h5 *f, const char *object, const char *key, int64_t *value, err *e)
{
    h5_enter();
    bool ok = attr_number(f, object, key, H5T_INTEGER, H5T_NATIVE_INT64, value, e);
    h5_leave();
    return ok;
}

bool h5_get_num(h5 *f, const char *object, const char *key, double *value, err *e)
{
    h5_enter();
    bool ok = attr_number(f, object, key, H5T_NO_CLASS, H5T_NATIVE_DOUBLE, value, e);
    h5_leave();
    return ok;
}

typedef struct names {
    arena *a;
    char **names;
    size_t n, cap;
} names;

static void add_name(names *list, const char *name)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        char **more = NEW(list->a, char *, cap);
        if (list->n)
            memcpy(more, list->names, list->n * sizeof *more);
        list->names = more, list->cap = cap;
    }
    list->names[list->n++] = arena_strdup(list->a, name);
}

static herr_t take_link(hid_t group, const char *name, const H5L_info_t *info, void *user)
{
    (void)group, (void)info;
    add_name(user, name);
    return 0;
}

static herr_t take_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user)
{
    (void)object, (void)info;
    add_name(user, name);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool hand_over(names *list, bool ok, char ***out, size_t *n)
{
    if (list->n)
        qsort(list->names, list->n, sizeof *list->names, by_name);
    *out = ok ? list->names : NULL;
    *n = ok ? list->n : 0;
    return ok;
}

bool h5_list(h5 *f, const char *group, arena *a, char ***out, size_t *n, err *e)
{
    names list = {.a = a};
    h5_enter();
    bool there = strcmp(group, "/") == 0 || h5_link_exists(f, group), ok = false;
    hid_t g = there ? H5Gopen2(f->id, group, H5P_DEFAULT) : -1;
    if (!there)
        h5_fail(f, e, ERR_MISSING, "there is no group '%s'", group);
    else if (g < 0)
        h5_fail(f, e, ERR_DAMAGED, "'%s' cannot be opened as a group", group);
    else
        ok = H5Literate(g, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, take_link, &list) >= 0 ||
             h5_fail(f, e, ERR_DAMAGED, "group '%s' cannot be read", group);
    if (g >= 0)
        H5Gclose(g);
    h5_leave();
    return hand_over(&list, ok, out, n);
}

bool h5_attributes(h5 *f, const char *object, arena *a, char ***out, size_t *n, err *e)
{
    names list = {.a = a};
    h5_enter();
    bool there = strcmp(object, "/") == 0 || h5_link_exists(f, object);
    hid_t o = there ? H5Oopen(f->id, object, H5P_DEFAULT) : -1;
    bool ok = false;
    if (o < 0)
        h5_fail(f, e, there ? ERR_DAMAGED : ERR_MISSING, "there is no '%s' in the file", object);
    else
        ok = H5Aiterate2(o, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, take_attribute, &list) >= 0 ||
             h5_fail(f, e, ERR_DAMAGED, "the attributes of '%s' cannot be read", object);
    if (o >= 0)
        H5Oclose(o);
    h5_leave();
    return hand_over(&list, ok, out, n);
}
