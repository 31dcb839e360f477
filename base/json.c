// SPDX-License-Identifier: GPL-3.0-or-later
// json.c: jansson (the one file that knows it), made as strict as the header says.
//
// What jansson leaves to us: nesting (it allows 2,048 levels; here 256) is looked at before it
// parses, so that the place can be named. Where it differs from RFC 8259: an object's key cannot
// hold U+0000, and integers beyond 64 bits and reals beyond double are errors. Reals are written
// with the first of 15, 16 or 17 digits that reads back to the same double; jansson's own dump
// would write 0.1 as 0.10000000000000001. Some of its names are also ours: they are set aside while
// its header is read, and its json_is_...() macros, which would then mix the two, are not used
// here.
#define json_type   jansson_type
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#undef json_object
#undef json_array

enum { DEPTH_MOST = 256 };

// A json is a json_t by another name; jansson's readers take const or not as they please.
static json_t *in(const json *j)
{
    return (json_t *)(uintptr_t)j;
}
static json *out(const json_t *j)
{
    return (json *)(uintptr_t)j;
}
static bool is(const json *j, jansson_type type)
{
    return j && json_typeof(in(j)) == type;
}

// Finds the bracket that opens one level too many; brackets inside strings do not count.
static bool depth_ok(const char *text, size_t n, err *e)
{
    int depth = 0, line = 1, column = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        column++;
        if (c == '\n')
            line++, column = 0;
        if (quoted && c == '\\')
            i++, column++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > DEPTH_MOST)
            return err_set(e, ERR_FORMAT, "line %d column %d: JSON is nested deeper than %d levels",
                           line, column, DEPTH_MOST);
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
    }
    return true;
}

json *json_parse(const char *text, size_t n, err *e)
{
    json_error_t bad;
    if (!depth_ok(text, n, e))
        return NULL;
    json_t *j =
        json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &bad);
    if (!j && json_error_code(&bad) == json_error_out_of_memory)
        base_checked(NULL, n);
    if (!j)
        err_set(e, ERR_FORMAT, "line %d column %d: not valid JSON: %s", bad.line, bad.column,
                bad.text);
    return out(j);
}

void json_free(json *j)
{
    json_decref(in(j));
}

json *json_clone(const json *j)
{
    return j ? base_checked(out(json_deep_copy(in(j))), 64) : NULL;
}

json_kind json_type(const json *j)
{
    static const json_kind kinds[] = {
        [JANSSON_OBJECT] = JSON_OBJECT, [JANSSON_ARRAY] = JSON_ARRAY,
        [JANSSON_STRING] = JSON_STRING, [JSON_INTEGER] = JSON_NUMBER,
        [JSON_REAL] = JSON_NUMBER,      [JSON_TRUE] = JSON_BOOL,
        [JSON_FALSE] = JSON_BOOL,       [JANSSON_NULL] = JSON_NULL,
    };
    return j ? kinds[json_typeof(in(j))] : JSON_NONE;
}

const json *json_get(const json *object, const char *key)
{
    return out(json_object_get(in(object), key));
}

const json *json_at(const json *array, size_t i)
{
    return out(json_array_get(in(array), i));
}

size_t json_len(const json *j)
{
    return is(j, JANSSON_ARRAY) ? json_array_size(in(j)) : json_object_size(in(j));
}

const char *json_str(const json *j, const char *fallback)
{
    if (!is(j, JANSSON_STRING))
        return fallback;
    const char *s = json_string_value(in(j));
    return strlen(s) == json_string_length(in(j)) ? s : fallback;
}

double json_num(const json *j, double fallback)
{
    return is(j, JSON_REAL) || is(j, JSON_INTEGER) ? json_number_value(in(j)) : fallback;
}

bool json_is_whole(const json *j)
{
    return is(j, JSON_INTEGER);
}

int64_t json_int(const json *j, int64_t fallback)
{
    if (is(j, JSON_INTEGER))
        return json_integer_value(in(j));
    double v = json_num(j, NAN);
    return fabs(v) <= 0x1p53 && v == floor(v) ? (int64_t)v : fallback;
}

bool json_bool(const json *j, bool fallback)
{
    return is(j, JSON_TRUE) ? true : is(j, JSON_FALSE) ? false : fallback;
}

void *json_first(const json *object)
{
    return json_object_iter(in(object));
}

void *json_next(const json *object, void *it)
{
    return json_object_iter_next(in(object), it);
}

const char *json_key(void *it)
{
    return json_object_iter_key(it);
}

const json *json_value(void *it)
{
    return out(json_object_iter_value(it));
}

json *json_new_object(void)
{
    return base_checked(json_object(), 64);
}

json *json_new_array(void)
{
    return base_checked(json_array(), 64);
}

// Text from outside, such as a file's name, may not be UTF-8: each byte that cannot be shown
// becomes U+FFFD.
static json_t *text_value(const char *s)
{
    if (!s)
        return json_null();
    json_t *j = json_string(s);
    if (j)
        return j;
    strbuf b = {0};
    for (size_t n = strlen(s), used; n > 0; s += used, n -= used) {
        used = 0;
        for (size_t k = 1; k <= 4 && k <= n && !used; k++)
            if (str_utf8(s, k))
                used = k;
        strbuf_add(&b, used ? s : "\xef\xbf\xbd", used ? used : 3);
        used = used ? used : 1;
    }
    j = base_checked(json_string(b.s), b.len);
    strbuf_free(&b);
    return j;
}

static json_t *number_value(double v)
{
    return isfinite(v) ? base_checked(json_real(v), 32) : json_null();
}

static void set(json *object, const char *key, json_t *value)
{
    CHECK(value && is(object, JANSSON_OBJECT) && str_utf8(key, strlen(key)));
    base_checked(json_object_set_new(in(object), key, value) == 0 ? object : NULL, 64);
}

static void push(json *array, json_t *value)
{
    CHECK(value && is(array, JANSSON_ARRAY));
    base_checked(json_array_append_new(in(array), value) == 0 ? array : NULL, 64);
}

void json_set(json *object, const char *key, json *value)
{
    set(object, key, value ? in(value) : json_null());
}

void json_set_str(json *object, const char *key, const char *value)
{
    set(object, key, text_value(value));
}

void json_set_num(json *object, const char *key, double value)
{
    set(object, key, number_value(value));
}

void json_set_int(json *object, const char *key, int64_t value)
{
    set(object, key, base_checked(json_integer(value), 32));
}

void json_set_bool(json *object, const char *key, bool value)
{
    set(object, key, json_boolean(value));
}

void json_push(json *array, json *value)
{
    push(array, value ? in(value) : json_null());
}

void json_push_num(json *array, double value)
{
    push(array, number_value(value));
}

void json_push_int(json *array, int64_t value)
{
    push(array, base_checked(json_integer(value), 32));
}

void json_push_str(json *array, const char *value)
{
    push(array, text_value(value));
}

static void dump_number(double v, strbuf *b)
{
    char s[40];
    int digits = 15;
    do
        snprintf(s, sizeof s, "%.*g", digits, v);
    while (strtod(s, NULL) != v && digits++ < 17);
    // a real stays a real when it is read again
    strbuf_printf(b, strpbrk(s, ".e") ? "%s" : "%s.0", s);
}

static void dump_scalar(json_t *j, strbuf *b)
{
    char *s = base_checked(json_dumps(j, JSON_ENCODE_ANY), 64);
    strbuf_add(b, s, strlen(s));
    free(s);
}

static void new_line(int pretty, int level, strbuf *b)
{
    if (pretty)
        strbuf_printf(b, "\n%*s", pretty * level, "");
}

static void dump(const json *j, int pretty, int level, strbuf *b);

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void dump_object(const json *j, int pretty, int level, strbuf *b)
{
    size_t n = 0, bytes = (json_len(j) + 1) * sizeof(char *);
    const char **keys = base_checked(malloc(bytes), bytes);
    for (void *it = json_first(j); it; it = json_next(j, it))
        keys[n++] = json_key(it);
    if (pretty)
        qsort(keys, n, sizeof *keys, by_key);
    strbuf_add(b, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_printf(b, pretty ? "," : ", ");
        new_line(pretty, level + 1, b);
        json_t *key = text_value(keys[i]);
        dump_scalar(key, b);
        json_decref(key);
        strbuf_add(b, ": ", 2);
        dump(json_get(j, keys[i]), pretty, level + 1, b);
    }
    if (n)
        new_line(pretty, level, b);
    strbuf_add(b, "}", 1);
    free(keys);
}

static void dump_array(const json *j, int pretty, int level, strbuf *b)
{
    size_t n = json_len(j);
    strbuf_add(b, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_printf(b, pretty ? "," : ", ");
        new_line(pretty, level + 1, b);
        dump(json_at(j, i), pretty, level + 1, b);
    }
    if (n)
        new_line(pretty, level, b);
    strbuf_add(b, "]", 1);
}

static void dump(const json *j, int pretty, int level, strbuf *b)
{
    if (is(j, JANSSON_OBJECT))
        dump_object(j, pretty, level, b);
    else if (is(j, JANSSON_ARRAY))
        dump_array(j, pretty, level, b);
    else if (is(j, JSON_REAL))
        dump_number(json_num(j, 0), b);
    else if (j)
        dump_scalar(in(j), b);
    else
        strbuf_add(b, "null", 4);
}

void json_dump(const json *j, int pretty, strbuf *b)
{
    dump(j, pretty, 0, b);
}

const char *json_library(void)
{
    return JANSSON_VERSION;
}
