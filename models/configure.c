// SPDX-License-Identifier: GPL-3.0-or-later
// configure.c: a model of other sizes: a model_def with other option values, and the text by which
// they travel.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "models/model.h"

static const model_option *find(const model_def *m, const char *name, size_t n)
{
    for (int i = 0; i < m->n_options; i++)
        if (strlen(m->options[i].name) == n && !memcmp(m->options[i].name, name, n))
            return &m->options[i];
    return NULL;
}

int64_t model_size(const network *n, const char *option)
{
    const model_option *o = find(n->model, option, strlen(option));
    CHECK(o);
    return o->value;
}

static void print_list(int64_t bits, strbuf *out)
{
    const char *comma = "";
    for (int i = 0; i < 63; i++)
        if (bits >> i & 1)
            strbuf_printf(out, "%s%d", comma, i), comma = ",";
}

const char *model_sizes(const model_def *m, arena *a)
{
    strbuf out = {0};
    for (int i = 0; i < m->n_options; i++) {
        strbuf_printf(&out, "%s%s=", i ? " " : "", m->options[i].name);
        if (m->options[i].list)
            print_list(m->options[i].value, &out);
        else
            strbuf_printf(&out, "%lld", (long long)m->options[i].value);
    }
    const char *text = arena_strdup(a, out.s ? out.s : "");
    strbuf_free(&out);
    return text;
}

static bool bad(const model_def *m, const char *text, size_t n, err *e)
{
    return err_set(e, ERR_VALUE, "'%.*s' is not a size of %s; its sizes and their form are %s",
                   (int)(n < 60 ? n : 60), text, m->name, model_sizes(m, m->arena));
}

// A whole number in [least, most].
static bool read_number(const char **at, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)**at))
        return false;
    *value = strtoll(*at, &end, 10);
    *at = end;
    return *value >= least && *value <= most;
}

static bool read_value(const char *at, const char *end, model_option *o)
{
    int64_t v = 0, bits = 0;
    if (!o->list)
        return read_number(&at, o->least, o->most, &o->value) && at == end;
    for (; at < end; bits |= (int64_t)1 << v) {
        if (bits && *at++ != ',')
            return false;
        if (!read_number(&at, 0, o->most, &v))
            return false;
    }
    o->value = bits;
    return at == end;
}

static bool read_sizes(model_def *m, model_option *list, const char *text, err *e)
{
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), name = strcspn(at, "= ");
        const model_option *o = find(m, at, name);
        if (!o || at[name] != '=' || !read_value(at + name + 1, at + n, &list[o - list]))
            return bad(m, at, n, e);
        at += n;
    }
    return true;
}

const model_def *model_configure(const model_def *m, const char *sizes, arena *a, err *e)
{
    if (!sizes || !*sizes)
        return m;
    model_def *made = NEW(a, model_def, 1);
    model_option *list = NEW(a, model_option, (size_t)m->n_options + 1);
    *made = *m;
    for (int i = 0; i < m->n_options; i++)
        list[i] = m->options[i];
    made->options = list, made->params = 0, made->arena = a;
    arena scratch = {.name = "sizes"};
    params *p = params_open(&scratch);
    bool ok = read_sizes(made, list, sizes, e) &&
              model_build(made, p, &(model_dims){.batch = 1, .time = 1}, &scratch, e);
    made->params = params_count(p, false);
    arena_free(&scratch);
    return ok ? made : NULL;
}
