// SPDX-License-Identifier: GPL-3.0-or-later
// configure.c: a model of other sizes: a model_def with other values of its options, and the text
// by which they travel.
#include <string.h>

#include "base/setting.h"
#include "base/str.h"
#include "models/model.h"

static const config_key *find(const model_def *m, const char *name, size_t n)
{
    for (int i = 0; i < m->n_options; i++) {
        const char *leaf = key_leaf(m->options[i].name);
        bool holds = m->options[i].type != CONFIG_SECTION;
        if (holds && strlen(leaf) == n && !memcmp(leaf, name, n))
            return &m->options[i];
    }
    return NULL;
}

// Digits and commas alone: numbers of other forms ("4.0", "0x4") would travel, too.
static bool set(const config_key *k, void *sizes, const char *text)
{
    return (*text || k->type == CONFIG_NUMBERS) && strspn(text, "0123456789,") == strlen(text) &&
           setting_parse(k, sizes, text, NULL);
}

const void *model_sizes_of(const model_def *m, arena *a)
{
    if (m->sizes || !m->n_options)
        return m->sizes;
    void *sizes = arena_alloc(a, 1, m->sizes_bytes);
    for (int i = 0; i < m->n_options; i++)
        CHECK(m->options[i].type == CONFIG_SECTION ||
              set(&m->options[i], sizes, m->options[i].own));
    return sizes;
}

int64_t model_size(const network *n, const char *option)
{
    const config_key *k = find(n->model, option, strlen(option));
    CHECK(k);
    return setting_int(k, n->sizes);
}

// Behind the row of the section.
static const char *sizes_by(const model_def *m, arena *a,
                            void (*write)(const config_key *, size_t, const void *, strbuf *))
{
    strbuf out = {0};
    if (m->n_options)
        write(m->options + 1, (size_t)m->n_options - 1, model_sizes_of(m, a), &out);
    const char *text = arena_strdup(a, out.s ? out.s : "");
    strbuf_free(&out);
    return text;
}

const char *model_sizes(const model_def *m, arena *a)
{
    return sizes_by(m, a, setting_line);
}

const char *model_sizes_whole(const model_def *m, arena *a)
{
    return sizes_by(m, a, setting_line_whole);
}

static bool bad(const model_def *m, const char *text, size_t n, arena *a, err *e)
{
    return err_set(e, ERR_VALUE, "'%.*s' is not a size of %s; its sizes and their form are %s",
                   (int)(n < 60 ? n : 60), text, m->name, model_sizes_whole(m, a));
}

static bool read_sizes(const model_def *m, void *sizes, const char *text, arena *a, err *e)
{
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), name = strcspn(at, "= ");
        const config_key *k = find(m, at, name);
        if (!k || at[name] != '=' ||
            !set(k, sizes, arena_printf(a, "%.*s", (int)(n - name - 1), at + name + 1)))
            return bad(m, at, n, a, e);
        at += n;
    }
    return true;
}

// Inputs of which options say how large they are.
static void size_inputs(model_def *m)
{
    for (int i = 0; i < m->n_inputs; i++)
        for (int k = 0; k < m->inputs[i].rank; k++) {
            const char *of = m->inputs[i].of[k];
            if (of)
                m->inputs[i].dim[k] = setting_int(find(m, of, strlen(of)), m->sizes);
        }
}

static bool builds(const model_def *m, params *p, arena *scratch, err *e)
{
    return model_build(m, p, &(model_dims){.batch = 1, .time = 1}, scratch, e) != NULL;
}

const model_def *model_configure(const model_def *m, const char *sizes, arena *a, err *e)
{
    if (!sizes || !*sizes)
        return m;
    model_def *made = NEW(a, model_def, 1);
    arena scratch = {.name = "sizes"};
    void *own = arena_alloc(a, 1, m->sizes_bytes);
    *made = *m;
    if (m->n_options)
        memcpy(own, model_sizes_of(m, &scratch), m->sizes_bytes);
    made->sizes = own, made->params = 0;
    params *p = params_open(&scratch);
    bool ok = read_sizes(made, own, sizes, &scratch, e);
    if (ok)
        size_inputs(made);
    ok = ok && builds(made, p, &scratch, e);
    made->params = params_count(p, false);
    arena_free(&scratch);
    return ok ? made : NULL;
}
