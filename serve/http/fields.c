// SPDX-License-Identifier: GPL-3.0-or-later
// fields.c: see fields.h.
#include "serve/http/fields.h"

#include <string.h>

#include "base/names.h"
#include "base/str.h"

enum { CHOICES = 16, SHOWN = 40 };

// The value of a field; NULL where it is not given.
static const json *given(const fields *f, const char *name)
{
    const json *v = json_get(f->in, name);
    return json_type(v) == JSON_NULL ? NULL : v;
}

bool fields_missing(const fields *f, const char *name, err *e)
{
    return err_set(e, ERR_VALUE, "%s%s is missing", f->path, name);
}

bool fields_text(const fields *f, const char *name, size_t most, const char **out, err *e)
{
    const json *v = given(f, name);
    *out = json_str(v, NULL);
    if (v && !*out)
        return err_set(e, ERR_VALUE, "%s%s is a text without U+0000", f->path, name);
    return !*out || strlen(*out) <= most ||
           err_set(e, ERR_VALUE, "%s%s is %zu bytes long; %zu are taken", f->path, name,
                   strlen(*out), most);
}

bool fields_num(const fields *f, const char *name, double least, double most, double *out, err *e)
{
    const json *v = given(f, name);
    double x = json_num(v, 0);
    if (v && json_type(v) != JSON_NUMBER)
        return err_set(e, ERR_VALUE, "%s%s is a number from %g to %g", f->path, name, least, most);
    if (v && !(x >= least && x <= most))
        return err_set(e, ERR_VALUE, "%s%s is a number from %g to %g, and is %g", f->path, name,
                       least, most, x);
    *out = v ? x : *out;
    return true;
}

bool fields_int(const fields *f, const char *name, int64_t least, int64_t most, int64_t *out,
                err *e)
{
    double x = (double)*out;
    const json *v = given(f, name);
    if (!fields_num(f, name, (double)least, (double)most, &x, e))
        return false;
    if (v && x != (double)(int64_t)x)
        return err_set(e, ERR_VALUE, "%s%s is a whole number, and is %g", f->path, name, x);
    *out = v ? json_int(v, *out) : *out;
    return true;
}

bool fields_flag(const fields *f, const char *name, bool *out, err *e)
{
    const json *v = given(f, name);
    if (v && json_type(v) != JSON_BOOL)
        return err_set(e, ERR_VALUE, "%s%s is true or false", f->path, name);
    *out = json_bool(v, *out);
    return true;
}

bool fields_list(const fields *f, const char *name, size_t most, const json **out, err *e)
{
    *out = given(f, name);
    if (*out && (json_type(*out) != JSON_ARRAY || json_len(*out) > most))
        return err_set(e, ERR_VALUE, "%s%s is a list of at most %zu", f->path, name, most);
    return true;
}

bool fields_object(const fields *f, const char *name, arena *a, fields *out, err *e)
{
    *out = (fields){given(f, name), arena_printf(a, "%s%s.", f->path, name)};
    return !out->in || json_type(out->in) == JSON_OBJECT ||
           err_set(e, ERR_VALUE, "%s%s is an object", f->path, name);
}

bool fields_choice(const fields *f, const char *name, const char *choices, int *out, err *e)
{
    const char *text, *rest = choices, *names[CHOICES];
    char one[CHOICES][64], guess[NAME_GUESS];
    size_t n = 0;
    if (!fields_text(f, name, SIZE_MAX, &text, e))
        return false;
    if (!text)
        return true;
    while (n < CHOICES && str_name(&rest, one[n])) {
        if (!strcmp(one[n], text)) {
            *out = (int)n;
            return true;
        }
        names[n] = one[n], n++;
    }
    return err_set(e, ERR_VALUE, "%s%s is one of %s, and is '%.*s'%s", f->path, name, choices,
                   SHOWN, text, name_guess(guess, text, names, n));
}

static void say_unknown(const fields *f, const char *key, const char *const *names, size_t n,
                        json *to)
{
    char guess[NAME_GUESS];
    strbuf b = {0};
    strbuf_printf(&b, "%s%.*s is not known here%s", f->path, SHOWN, key,
                  name_guess(guess, key, names, n));
    arena a = {.name = "unknown"};
    json_push_str(to, str_utf8_escape(&a, b.s));
    strbuf_free(&b);
    arena_free(&a);
}

void fields_unknown(const fields *f, const char *names, json *to)
{
    const char *list[CHOICES];
    char one[CHOICES][64];
    size_t n = 0;
    while (n < CHOICES && str_name(&names, one[n]))
        list[n] = one[n], n++;
    for (void *it = json_first(f->in); it && json_len(to) < CHOICES; it = json_next(f->in, it)) {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known = known || !strcmp(json_key(it), list[i]);
        if (!known)
            say_unknown(f, json_key(it), list, n, to);
    }
}
