// SPDX-License-Identifier: GPL-3.0-or-later
// torch_names.c: the names that a state_dict's pickle may have, and what is made of them.
#include <string.h>

#include "export/torch_pickle.h"

typedef enum name_kind { ORDERED_DICT, REBUILD, REBUILD_TYPED, STORAGE, UNTYPED, TYPE } name_kind;

struct torch_name {
    const char *module, *name;
    name_kind kind;
    const char *type; // of elements
};

// https://github.com/pytorch/pytorch: torch/storage.py _dtype_to_storage_type_map, torch/_utils.py.
// _rebuild_tensor_v3 is for types that have no storage class of their own.
static const torch_name names[] = {
    {"collections", "OrderedDict", ORDERED_DICT, NULL},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD, NULL},
    {"torch._utils", "_rebuild_tensor_v3", REBUILD_TYPED, NULL},
    {"torch.storage", "UntypedStorage", UNTYPED, NULL},
    {"torch", "FloatStorage", STORAGE, "F32"},
    {"torch", "DoubleStorage", STORAGE, "F64"},
    {"torch", "HalfStorage", STORAGE, "F16"},
    {"torch", "BFloat16Storage", STORAGE, "BF16"},
    {"torch", "LongStorage", STORAGE, "I64"},
    {"torch", "IntStorage", STORAGE, "I32"},
    {"torch", "ShortStorage", STORAGE, "I16"},
    {"torch", "CharStorage", STORAGE, "I8"},
    {"torch", "ByteStorage", STORAGE, "U8"},
    {"torch", "BoolStorage", STORAGE, "BOOL"},
    {"torch", "ComplexFloatStorage", STORAGE, "C64"},
    {"torch", "uint16", TYPE, "U16"},
    {"torch", "uint32", TYPE, "U32"},
    {"torch", "uint64", TYPE, "U64"},
    {"torch", "float8_e5m2", TYPE, "F8_E5M2"},
    {"torch", "float8_e4m3fn", TYPE, "F8_E4M3"},
    {"torch", "float8_e5m2fnuz", TYPE, "F8_E5M2FNUZ"},
    {"torch", "float8_e4m3fnuz", TYPE, "F8_E4M3FNUZ"},
    {"torch", "float8_e8m0fnu", TYPE, "F8_E8M0"},
};

const torch_name *torch_name_find(const char *module, const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].module, module) && !strcmp(names[i].name, name))
            return &names[i];
    return NULL;
}

static bool refuse(const char **why, const char *what)
{
    *why = what;
    return false;
}

// ("storage", torch.FloatStorage, "0", "cpu", 6)
bool torch_storage(const pickle_value *id, pickle_value *out, const char **why)
{
    if (id->kind != PICKLE_TUPLE || id->n < 5 || id->list[0]->kind != PICKLE_TEXT ||
        strcmp(id->list[0]->text, "storage") || id->list[1]->kind != PICKLE_NAME ||
        id->list[2]->kind != PICKLE_TEXT || id->list[4]->kind != PICKLE_INT || id->list[4]->i < 0)
        return refuse(why, "an id that names no storage");
    const torch_name *f = id->list[1]->name;
    if (f->kind != STORAGE && f->kind != UNTYPED)
        return refuse(why, "a storage of a class that is none");
    out->tensor = (torch_tensor){.type = f->type ? element_find(f->type) : NULL,
                                 .key = id->list[2]->text,
                                 .stored = id->list[4]->i};
    return true;
}

static const int64_t *whole_numbers(const pickle_value *v, arena *a, int *n)
{
    int64_t *list = NEW(a, int64_t, (size_t)v->n + 1);
    for (int i = 0; i < v->n; i++) {
        list[i] = v->list[i]->i;
        if (v->list[i]->kind != PICKLE_INT || list[i] < 0)
            return NULL;
    }
    *n = v->n;
    return list;
}

// No product of sizes and no last place that 64 bits do not hold; and none outside the storage.
static bool inside(torch_tensor *t)
{
    uint64_t last = (uint64_t)t->offset;
    t->count = 1;
    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i] && t->count > (INT64_MAX >> 7) / t->dim[i])
            return false;
        t->count *= t->dim[i];
        if (t->dim[i] > 1 && t->stride[i] > (INT64_MAX >> 8) / t->dim[i])
            return false;
        if (t->dim[i] > 1 &&
            (last += (uint64_t)(t->dim[i] - 1) * (uint64_t)t->stride[i]) > INT64_MAX)
            return false;
    }
    return !t->count || last < (uint64_t)t->stored;
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), v3(..., dtype)
static bool rebuild(const pickle_value *v, bool typed, pickle_value *out, arena *a,
                    const char **why)
{
    int strides;
    if (v->n < (typed ? 7 : 6) || v->list[0]->kind != PICKLE_STORAGE ||
        v->list[1]->kind != PICKLE_INT || v->list[1]->i < 0 || v->list[2]->kind != PICKLE_TUPLE ||
        v->list[3]->kind != PICKLE_TUPLE)
        return refuse(why, "a tensor of no storage, offset, size and strides");
    torch_tensor t = v->list[0]->tensor;
    t.offset = v->list[1]->i;
    t.dim = whole_numbers(v->list[2], a, &t.rank);
    t.stride = whole_numbers(v->list[3], a, &strides);
    if (!t.dim || !t.stride || t.rank != strides)
        return refuse(why, "a tensor whose size and strides are no whole numbers");
    if (typed && !t.type) {
        if (v->list[6]->kind != PICKLE_NAME || v->list[6]->name->kind != TYPE)
            return refuse(why, "a tensor of no type");
        t.type = element_find(v->list[6]->name->type);
        t.stored /= t.type->bits / 8; // were bytes
    }
    if (!t.type)
        return refuse(why, "a tensor of no type");
    if (!inside(&t))
        return refuse(why, "a tensor that lies outside its storage");
    *out = (pickle_value){.kind = PICKLE_TENSOR, .tensor = t};
    return true;
}

bool torch_call(const pickle_value *f, const pickle_value *args, pickle_value *out, arena *a,
                const char **why)
{
    if (f->kind != PICKLE_NAME || args->kind != PICKLE_TUPLE)
        return refuse(why, "a call of what is no function");
    name_kind kind = f->name->kind;
    if (kind == REBUILD || kind == REBUILD_TYPED)
        return rebuild(args, kind == REBUILD_TYPED, out, a, why);
    if (kind != ORDERED_DICT || args->n)
        return refuse(why, "a call of what is no function");
    *out = (pickle_value){.kind = PICKLE_DICT};
    return true;
}
