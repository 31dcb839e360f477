// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural_file.c: layers as the JSON that RTNeural's loader takes, and from it (rtneural.h).
// Numbers have nine digits, which give an f32 back to the bit.
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "export/rtneural.h"

enum { FILE_MAX = 1 << 28, WIDTH_MAX = 1 << 16 };

static const char *const kinds[] = {
    [RTNEURAL_DENSE] = "dense", [RTNEURAL_LSTM] = "lstm", [RTNEURAL_ACTIVATION] = "activation"};

// ---- Writing

static void put_row(strbuf *b, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        strbuf_printf(b, "%s%.9g", i ? "," : "[", (double)x[i]);
    strbuf_printf(b, "]");
}

static void put_rows(strbuf *b, const float *x, int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++) {
        strbuf_printf(b, "%s", i ? ",\n" : "[");
        put_row(b, x + i * n, n);
    }
    strbuf_printf(b, "]");
}

static void put_layer(strbuf *b, const rtneural_layer *l)
{
    int64_t columns = l->kind == RTNEURAL_LSTM ? 4 * l->out : l->out;
    strbuf_printf(b,
                  "{\"type\":\"%s\",\"activation\":\"%s\",\"shape\":[null,null,%lld],\"weights\":[",
                  kinds[l->kind], l->activation, (long long)l->out);
    if (l->w) {
        put_rows(b, l->w, l->in, columns);
        strbuf_printf(b, ",\n");
    }
    if (l->u) {
        put_rows(b, l->u, l->out, columns);
        strbuf_printf(b, ",\n");
    }
    if (l->b)
        put_row(b, l->b, columns);
    strbuf_printf(b, "]}");
}

static void put_meta(strbuf *b, const model_meta *meta)
{
    json *j = json_object();
    for (int i = 0; meta && i < meta->n; i++)
        json_set_str(j, meta->keys[i], meta->values[i]);
    json_dump(j, 0, b);
    json_free(j);
}

bool rtneural_write(const char *path, const rtneural *r, const rtneural_example *x,
                    const model_meta *meta, err *e)
{
    strbuf b = {0};
    int64_t in = r->layer[0].in, out = r->layer[r->n - 1].out;
    strbuf_printf(&b, "{\"in_shape\":[null,null,%lld],\n\"layers\":[", (long long)in);
    for (int i = 0; i < r->n; i++) {
        strbuf_printf(&b, "%s", i ? ",\n" : "");
        put_layer(&b, &r->layer[i]);
    }
    strbuf_printf(&b, "],\n\"input_batch\":");
    put_rows(&b, x->x, x->frames, in);
    strbuf_printf(&b, ",\n\"output_batch\":");
    put_rows(&b, x->y, x->frames, out);
    if (r->codes) {
        strbuf_printf(&b, ",\n\"note_codes\":");
        put_rows(&b, r->codes, r->n_codes, in);
    }
    strbuf_printf(&b, ",\n\"metadata\":");
    put_meta(&b, meta);
    strbuf_printf(&b, "}\n");
    bool ok = file_write(path, b.s, b.len, e);
    strbuf_free(&b);
    return ok;
}

// ---- Reading

// A list of `rows` lists of n numbers each, or (rows 0) one of n numbers.
static const float *take_rows(const json *j, int64_t rows, int64_t n, arena *a)
{
    int64_t lists = rows ? rows : 1;
    float *x = NEW(a, float, (size_t)(lists * n) + 1);
    if (rows && json_len(j) != (size_t)rows)
        return NULL;
    for (int64_t i = 0; i < lists; i++) {
        const json *row = rows ? json_at(j, (size_t)i) : j;
        if (json_len(row) != (size_t)n)
            return NULL;
        for (int64_t k = 0; k < n; k++) {
            const json *number = json_at(row, (size_t)k);
            if (json_type(number) != JSON_NUMBER)
                return NULL;
            x[i * n + k] = (float)json_num(number, 0);
        }
    }
    return x;
}

static bool take_kind(const json *j, rtneural_layer *l)
{
    const char *type = json_str(json_get(j, "type"), "");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i], type)) {
            l->kind = (rtneural_kind)i;
            return true;
        }
    return false;
}

static bool take_layer(const json *j, int64_t in, rtneural_layer *l, arena *a)
{
    const json *w = json_get(j, "weights");
    *l = (rtneural_layer){.in = in,
                          .out = json_int(json_at(json_get(j, "shape"), 2), 0),
                          .activation = arena_strdup(a, json_str(json_get(j, "activation"), ""))};
    if (!take_kind(j, l) || l->out < 1 || l->out > WIDTH_MAX)
        return false;
    if (l->kind == RTNEURAL_ACTIVATION)
        return l->out == in;
    bool lstm = l->kind == RTNEURAL_LSTM;
    int64_t columns = lstm ? 4 * l->out : l->out;
    if (json_len(json_at(w, 0)) != (size_t)in || json_len(w) != (lstm ? 3u : 2u))
        return false;
    l->w = take_rows(json_at(w, 0), in, columns, a);
    l->u = lstm && l->w ? take_rows(json_at(w, 1), l->out, columns, a) : NULL;
    l->b = take_rows(json_at(w, lstm ? 2 : 1), 0, columns, a);
    return l->w && l->b && (!lstm || l->u);
}

static bool take_layers(const json *j, rtneural *r, arena *a)
{
    const json *layers = json_get(j, "layers");
    int64_t in = json_int(json_at(json_get(j, "in_shape"), 2), 0);
    r->n = (int)(json_len(layers) < RTNEURAL_LAYERS + 1 ? json_len(layers) : 0);
    for (int i = 0; i < r->n; in = r->layer[i++].out)
        if (in < 1 || in > WIDTH_MAX ||
            !take_layer(json_at(layers, (size_t)i), in, &r->layer[i], a))
            return false;
    return r->n > 0;
}

rtneural *rtneural_read(const char *path, arena *a, err *e)
{
    size_t n;
    char *text = file_read(a, path, FILE_MAX, &n, e);
    json *j = text ? json_parse(text, n, e) : NULL;
    if (!j)
        return (void)(!text || err_trail(e, "'%s'", path)), NULL;
    rtneural *r = NEW(a, rtneural, 1);
    bool ok =
        take_layers(j, r, a) ||
        err_set(e, ERR_FORMAT, "'%s' holds no layers as kmidi writes them for RTNeural", path);
    json_free(j);
    return ok ? r : NULL;
}
