// SPDX-License-Identifier: GPL-3.0-or-later
// attributes.c: collecting and bounding what is not understood (attributes.h).
#include "data/readers/attributes.h"

#include <string.h>

const char *attributes_text(arena *a, json *o)
{
    strbuf text = {0};
    const char *out = NULL;
    if (json_len(o)) {
        json_dump(o, 0, &text);
        out = text.len <= ATTRIBUTES_BYTES ? arena_strdup(a, text.s)
                                           : arena_printf(a, "{\"left_out_bytes\": %zu}", text.len);
        strbuf_free(&text);
    }
    json_free(o);
    return out;
}

bool attributes_taken(const char *const *taken, const char *name,
                      bool (*has)(const void *row, const char *name), const void *row)
{
    for (char one[64]; *taken; taken++)
        for (const char *names = *taken; str_name(&names, one);)
            if (has(row, one)) {
                if (!strcmp(one, name))
                    return true;
                break; // of this list another name was taken
            }
    return false;
}

static bool object_has(const void *row, const char *name)
{
    json_kind kind = json_type(json_get(row, name));
    return kind != JSON_NONE && kind != JSON_NULL;
}

const char *attributes_of(arena *a, const json *all, const char *const *taken)
{
    json *o = json_object();
    for (void *it = json_first(all); it; it = json_next(all, it))
        if (json_type(json_value(it)) != JSON_NULL &&
            !attributes_taken(taken, json_key(it), object_has, all))
            json_set(o, json_key(it), json_clone(json_value(it)));
    return attributes_text(a, o);
}

bool attributes_ok(const char *text)
{
    size_t n = strlen(text);
    json *j = n && n <= ATTRIBUTES_BYTES ? json_parse(text, n, NULL) : NULL;
    bool ok = n == 0 || json_type(j) == JSON_OBJECT;
    json_free(j);
    return ok;
}
