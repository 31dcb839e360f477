// SPDX-License-Identifier: GPL-3.0-or-later
// apply.c: adapters added to the weights of their base, after a look at whether it is their base.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "lora/adapter.h"
#include "lora/merge.h"

lora_use lora_use_of(const char *spec, arena *a)
{
    const char *colon = strrchr(spec, ':');
    char *end = NULL;
    double weight = colon && colon[1] ? strtod(colon + 1, &end) : 1;
    if (!colon || !end || *end || !isfinite(weight) || lora_is_adapter(spec))
        return (lora_use){spec, 1};
    return (lora_use){arena_printf(a, "%.*s", (int)(colon - spec), spec), weight};
}

// ---- Is it the base?

static bool same_json(const json *x, const json *y)
{
    strbuf a = {0}, b = {0};
    json_dump(x, 1, &a); // keys sorted
    json_dump(y, 1, &b);
    bool same = a.len == b.len && !memcmp(a.s, b.s, a.len);
    strbuf_free(&a), strbuf_free(&b);
    return same;
}

// Features that both speak of must be made alike: tokens of one dialect, mel frames of one kind.
static bool check_settings(const lora_adapter *l, const char *base, err *e)
{
    const char *mine = meta_get(&l->meta, "settings");
    json *x = mine ? json_parse(mine, strlen(mine), NULL) : NULL,
         *y = base ? json_parse(base, strlen(base), NULL) : NULL;
    const char *differs = NULL, *said = json_str(json_get(json_get(y, "tokens"), "dialect"), NULL);
    if (l->dialect && said && strcmp(l->dialect, said))
        differs = "tokens";
    for (void *it = json_type(x) == JSON_OBJECT ? json_first(x) : NULL; it && !differs;
         it = json_next(x, it)) {
        const json *other = json_get(y, json_key(it));
        if (json_type(other) != JSON_NONE && !same_json(json_value(it), other))
            differs = json_key(it);
    }
    bool ok = !differs || err_set(e, ERR_MISMATCH,
                                  "'%s' was trained on another dialect of %s than the base: its "
                                  "settings are not those of the base",
                                  l->folder, differs);
    json_free(x), json_free(y);
    return ok;
}

static bool check_base(const lora_adapter *l, const char *fingerprint, const model_meta *base,
                       err *e)
{
    const char *meant = meta_get(&l->meta, "base_fingerprint");
    if (meant && strcmp(meant, fingerprint))
        return err_set(
            e, ERR_MISMATCH,
            "'%s' adapts another base: the weights with the fingerprint %.12s, not %.12s",
            l->folder, meant, fingerprint);
    return check_settings(l, base ? meta_get(base, "settings") : NULL, e);
}

// ---- Adding

static lora_factors factors_of(const lora_adapter *l, int i, double weight)
{
    const adapter_site *s = &l->sites->site[i];
    return (lora_factors){.from = l->folder,
                          .a = params_at(l->p, 2 * i),
                          .b = params_at(l->p, 2 * i + 1),
                          .m = s->m ? params_at(l->p, lora_length_at(l, i)) : NULL,
                          .rank = s->rank,
                          .scale = (double)s->scale,
                          .weight = weight};
}

// What an adapter has for a weight, behind f[count]; -> how many there are now.
static int gather(const lora_adapter *l, const char *name, double weight, lora_factors *f,
                  int count)
{
    for (int i = 0; i < l->sites->n; i++)
        if (!strcmp(l->sites->site[i].weight, name))
            f[count++] = factors_of(l, i, weight);
    for (int i = 0; i < l->sites->n_whole; i++)
        if (!strcmp(l->sites->whole[i], name))
            f[count++] = (lora_factors){
                .from = l->folder, .whole = params_at(l->p, lora_whole_at(l, i)), .weight = weight};
    return count;
}

static bool add_all(params *p, lora_adapter *const *list, const lora_use *uses, int n, arena *a,
                    err *e)
{
    lora_factors *f = NEW(a, lora_factors, 2 * (size_t)n + 1); // of a weight: its own, and whole
    bool ok = true;
    for (int at = 0; ok && at < p->n; at++) {
        int count = 0;
        for (int k = 0; k < n; k++)
            count = gather(list[k], p->list[at].name, uses[k].weight, f, count);
        ok = !count || lora_add(lora_matrix_of(p, at), f, count, e);
    }
    return ok;
}

bool lora_add_whole(params *p, lora_adapter *l, err *e)
{
    arena a = {.name = "adapter"};
    const lora_use use = {l->folder, 1};
    bool ok = add_all(p, &l, &use, 1, &a, e);
    arena_free(&a);
    return ok;
}

bool lora_begin(params *p, const adapters *sites, err *e)
{
    bool ok = true;
    for (int i = 0; ok && i < sites->n; i++)
        ok = !sites->site[i].m ||
             lora_lengths(lora_matrix_of(p, params_find(p, sites->site[i].weight)),
                          params_at(p, params_find(p, sites->site[i].m)), e);
    return ok;
}

bool lora_apply(params *p, const model_def *m, const model_meta *base_meta, const lora_use *uses,
                int n, err *e)
{
    arena a = {.name = "adapters"};
    lora_adapter **list = NEW(&a, lora_adapter *, (size_t)n + 1);
    char hex[65];
    bool ok = true;
    params_fingerprint(p, hex);
    for (int i = 0; ok && i < n; i++)
        ok = (list[i] = lora_load(uses[i].folder, m, &a, e)) &&
             check_base(list[i], hex, base_meta, e);
    ok = ok && add_all(p, list, uses, n, &a, e);
    for (int i = 0; i < n; i++)
        lora_unload(list[i]);
    arena_free(&a);
    return ok;
}

// ---- Side by side

static bool is_adapted(const lora_adapter *const *list, int n, const char *name)
{
    for (int k = 0; k < n; k++)
        for (int i = 0; i < list[k]->sites->n; i++)
            if (!strcmp(list[k]->sites->site[i].weight, name))
                return true;
    return false;
}

static adapter_site beside(const adapter_site *from, int k, double weight, arena *a)
{
    adapter_site s = *from;
    s.a = arena_printf(a, "%d/%s", k, s.a), s.b = arena_printf(a, "%d/%s", k, s.b);
    if (s.m)
        s.m = arena_printf(a, "%d/%s", k, s.m), s.share = (float)weight;
    else
        s.scale *= (float)weight;
    return s;
}

// A whole parameter X in place of a weight W that others adapt, so that W must stay: X - W as a
// plain adapter, A, with the unit matrix for B.
static adapter_site whole_beside(const lora_adapter *l, int i, int k, double weight, arena *a)
{
    const char *name = l->sites->whole[i];
    return (adapter_site){.weight = name,
                          .a = arena_printf(a, "%d/%s.whole_A", k, name),
                          .b = arena_printf(a, "%d/%s.whole_B", k, name),
                          .rank = l->p->list[lora_whole_at(l, i)].shape.d[0],
                          .scale = (float)weight,
                          .share = 1};
}

const adapters *lora_unmerged(const lora_adapter *const *list, const double *weight, int n,
                              arena *a)
{
    int total = 0;
    for (int k = 0; k < n; k++)
        total += list[k]->sites->n + list[k]->sites->n_whole;
    adapter_site *sites = NEW(a, adapter_site, (size_t)total + 1);
    adapters *out = NEW(a, adapters, 1);
    *out = (adapters){.site = sites};
    for (int k = 0; k < n; k++) {
        const adapters *own = list[k]->sites;
        for (int i = 0; i < own->n; i++)
            sites[out->n++] = beside(&own->site[i], k, weight[k], a);
        for (int i = 0; i < own->n_whole; i++)
            if (is_adapted(list, n, own->whole[i]))
                sites[out->n++] = whole_beside(list[k], i, k, weight[k], a);
    }
    return out;
}

static void fill(params *p, const char *name, const params *from, int at)
{
    memcpy(params_at(p, params_find(p, name)), params_at(from, at),
           sizeof(float) * (size_t)from->list[at].count);
}

static void fill_site(params *p, const adapter_site *s, const lora_adapter *l, int i)
{
    fill(p, s->a, l->p, 2 * i);
    fill(p, s->b, l->p, 2 * i + 1);
    if (s->m)
        fill(p, s->m, l->p, lora_length_at(l, i));
}

static void fill_whole(params *p, const adapter_site *s, const float *whole)
{
    int at = params_find(p, s->weight);
    const float *w = params_at(p, at);
    float *a = params_at(p, params_find(p, s->a)), *b = params_at(p, params_find(p, s->b));
    for (int64_t i = 0; i < p->list[at].count; i++)
        a[i] = whole[i] - w[i];
    for (int64_t i = 0; i < s->rank * s->rank; i++)
        b[i] = i % (s->rank + 1) == 0;
}

void lora_fill(params *p, const adapters *unmerged, const lora_adapter *const *list, int n)
{
    const adapter_site *s = unmerged->site;
    for (int k = 0; k < n; k++) {
        const adapters *own = list[k]->sites;
        for (int i = 0; i < own->n; i++)
            fill_site(p, s++, list[k], i);
        for (int i = 0; i < own->n_whole; i++)
            if (is_adapted(list, n, own->whole[i]))
                fill_whole(p, s++, params_at(list[k]->p, lora_whole_at(list[k], i)));
    }
}
