// SPDX-License-Identifier: GPL-3.0-or-later
// json.h: JSON through jansson, the one file that knows it. Strict: UTF-8, no duplicate keys,
// bounded depth.
//
//     // error has line and column
//     json *j = json_parse(text, n, e);  if (!j) return err_trail(e, "%s", path);
//     const char *p = json_str(json_get(j, "path"), NULL);
//     json_free(j);
//
// Lookups accept NULL and answer with the fallback, so chains need one check at their end.
#ifndef KMIDI_BASE_JSON_H
#define KMIDI_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

typedef struct json json;
typedef enum json_kind {
    JSON_NONE,
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

json *json_parse(const char *text, size_t n, err *e) MUST_CHECK;
void json_free(json *j); // only what json_parse, json_clone or json_object/json_array returned

json *json_clone(const json *j); // NULL for NULL

json_kind json_type(const json *j); // JSON_NONE for NULL
const json *json_get(const json *object, const char *key);
const json *json_at(const json *array, size_t i);
size_t json_len(const json *j); // elements of an array or object, else 0
// a text that holds U+0000 is no C string: fallback
const char *json_str(const json *j, const char *fallback);
double json_num(const json *j, double fallback);
bool json_is_whole(const json *j);                 // a number without point or exponent
int64_t json_int(const json *j, int64_t fallback); // 3.0 is 3, 3.5 is not: fallback
bool json_bool(const json *j, bool fallback);
// Walks an object in file order: for (void *it = json_first(o); it; it = json_next(o, it))
// json_key(it), json_value(it)
void *json_first(const json *object);
void *json_next(const json *object, void *it);
const char *json_key(void *it);
const json *json_value(void *it);

// Building. Setters take ownership of `value` and accept a NULL one (written as null). A number
// that is not finite is null.
json *json_new_object(void);
json *json_new_array(void);
#define json_object() json_new_object() // jansson exports these two names itself
#define json_array()  json_new_array()
void json_set(json *object, const char *key, json *value);
void json_set_str(json *object, const char *key, const char *value);
void json_set_num(json *object, const char *key, double value);
void json_set_int(json *object, const char *key, int64_t value);
void json_set_bool(json *object, const char *key, bool value);
void json_push(json *array, json *value);
void json_push_num(json *array, double value);
void json_push_int(json *array, int64_t value);
void json_push_str(json *array, const char *value);
// One line without newline (pretty = 0), or indented by `pretty` with sorted keys.
void json_dump(const json *j, int pretty, strbuf *out);

const char *json_library(void); // the library's version, as it calls itself

#endif
