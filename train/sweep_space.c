// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_space.c: lists, ranges, draws and sets, as runs by number.
#include "train/sweep_space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "train/options.h"

// Values that a range may stand for; arguments in a line of a file.
enum { VALUES_MOST = 10000000, WORDS_MOST = SWEEP_AXES };

// ---- Parts of a text, by a separator that stands in no brackets and no quotes

// Bytes up to the next one.
static size_t part(const char *s, char separator)
{
    int depth = 0;
    char quote = 0;
    size_t n = 0;
    for (; s[n]; n++) {
        if (quote)
            quote = s[n] == quote ? 0 : quote;
        else if (s[n] == '"' || s[n] == '\'')
            quote = s[n];
        else if (s[n] == separator && depth <= 0)
            return n;
        else
            depth += (s[n] == '[' || s[n] == '{') - (s[n] == ']' || s[n] == '}');
    }
    return n;
}

// ---- Ranges: A..B, A..B:STEP, A..B:log

typedef struct range {
    double lo, hi, step; // step 0: none was given
    bool log, whole;
} range;

static bool is_whole(const char *s, const char *end)
{
    return memchr(s, '.', (size_t)(end - s)) == NULL && memchr(s, 'e', (size_t)(end - s)) == NULL;
}

static bool parse_range(const char *s, range *r)
{
    char *end;
    const char *dots = strstr(s, "..");
    if (!dots)
        return false;
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)(dots - s), s);
    *r = (range){.lo = strtod(first, &end), .whole = is_whole(s, dots)};
    if (end == first || *end)
        return false;
    const char *second = dots + 2;
    r->hi = strtod(second, &end);
    if (end == second || (*end && *end != ':'))
        return false;
    r->whole = r->whole && is_whole(second, end);
    if (!strcmp(end, ":log"))
        return r->log = true;
    char *last = end;
    r->step = *end ? strtod(end + 1, &last) : 0;
    return !*last && isfinite(r->lo) && isfinite(r->hi);
}

static bool check_range(const range *r, const char *arg, bool random, err *e)
{
    double step = r->step != 0 ? r->step : 1;
    if (!(r->lo <= r->hi))
        return err_set(e, ERR_USAGE, "'%s': a range goes from the less to the more", arg);
    if (r->log && !(r->lo > 0))
        return err_set(e, ERR_USAGE, "'%s': a range by logarithm begins above 0", arg);
    if (!random && r->log)
        return err_set(
            e, ERR_USAGE,
            "'%s' is to be drawn from, and this is a grid; add --random N, or list values", arg);
    if (!random && !r->whole && r->step == 0)
        return err_set(
            e, ERR_USAGE,
            "'%s' has no end of values; give a step behind it (0..1:0.25), or --random N", arg);
    if (r->step < 0 || isnan(r->step) || (r->hi - r->lo) / step >= VALUES_MOST)
        return err_set(e, ERR_USAGE, "'%s': a range has a step above 0, and at most %d values", arg,
                       VALUES_MOST);
    return true;
}

// 0, 0.05, 0.1: by counting, so that steps do not add up what each is rounded by.
static const char *value_at(const sweep_axis *x, size_t i, arena *a)
{
    return x->values ? x->values[i] : arena_printf(a, "%.10g", x->lo + (double)i * x->step);
}

static bool range_values(const range *r, const char *arg, bool random, sweep_axis *x, err *e)
{
    if (!check_range(r, arg, random, e))
        return false;
    x->lo = r->lo, x->hi = r->hi, x->log = r->log, x->whole = r->whole;
    x->step = r->step != 0 ? r->step : 1;
    if (!random || r->step != 0 || (r->whole && !r->log))
        x->n = (size_t)floor((r->hi - r->lo) / x->step + 1e-9) + 1;
    return true;
}

// ---- An axis

static bool list_values(const char *values, const char *arg, sweep_axis *x, arena *a, err *e)
{
    x->values = NEW(a, const char *, strlen(values) + 1);
    for (const char *p = values;;) {
        size_t n = part(p, ',');
        if (!n)
            return err_set(e, ERR_USAGE, "'%s': a value is missing", arg);
        x->values[x->n++] = arena_printf(a, "%.*s", (int)n, p);
        if (!p[n])
            return true;
        p += n + 1;
    }
}

static bool parse_axis(const char *arg, bool random, sweep_axis *x, arena *a, err *e)
{
    range r;
    *x = (sweep_axis){0};
    if (*arg == '~') {
        x->key = arg + 1;
        x->values = NEW(a, const char *, 1);
        x->values[x->n++] = "null";
    } else {
        const char *equals = strchr(arg, '=');
        if (!equals)
            return err_set(e, ERR_USAGE, "'%s' is no key=values", arg);
        x->key = arena_printf(a, "%.*s", (int)(equals - arg), arg);
        if (!(parse_range(equals + 1, &r) ? range_values(&r, arg, random, x, e)
                                          : list_values(equals + 1, arg, x, a, e)))
            return false;
    }
    const config_key *k = config_key_of(&train_table, x->key);
    x->key = k ? k->name : x->key; // an unknown one is refused with its place by config_override
    return true;
}

static bool is_given(const sweep_spaces *all, const sweep_space *s, const char *key)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->axes[i].key, key))
            return true;
    for (int i = 0; i < all->n_fixed; i++)
        if (str_starts(all->fixed[i], key) && all->fixed[i][strlen(key)] == '=')
            return true;
    return false;
}

// `common`: for all runs, where one value is a part of the configuration.
static bool add_axis(sweep_spaces *all, sweep_space *s, bool common, const char *arg, arena *a,
                     err *e)
{
    sweep_axis x;
    if (!parse_axis(arg, all->random > 0, &x, a, e))
        return false;
    if (is_given(all, s, x.key))
        return err_set(e, ERR_USAGE, "'%s' is given twice", x.key);
    if (s->n == SWEEP_AXES || all->n_fixed == SWEEP_AXES)
        return err_set(e, ERR_USAGE, "a sweep has at most %d keys", SWEEP_AXES);
    if (common && x.n == 1)
        all->fixed[all->n_fixed++] = arena_printf(a, "%s=%s", x.key, value_at(&x, 0, a));
    else
        s->axes[s->n++] = x;
    return true;
}

// ---- Sets

static const config_key file_keys[] = {
    {"grid", CONFIG_TEXTS, NULL, .help = "key=values that every run has"},
    {"sets", CONFIG_TEXTS, NULL, .help = "key=values that belong together, parted by blanks"},
};
static const config_table file_table = {
    .what = "sweep", .keys = file_keys, .n = sizeof file_keys / sizeof *file_keys};

static bool add_words(sweep_spaces *all, sweep_space *s, bool common, const char *line, arena *a,
                      err *e)
{
    for (const char *p = line + strspn(line, " "); *p; p += strspn(p, " ")) {
        size_t n = part(p, ' ');
        if (!add_axis(all, s, common, arena_printf(a, "%.*s", (int)n, p), a, e))
            return false;
        p += n;
    }
    return true;
}

static bool add_file(sweep_spaces *s, sweep_space *common, const char *file, arena *a, err *e)
{
    const char *const *grid, *const *sets;
    config *c = config_open(&file_table, a);
    if (!config_load(c, file, e) || !config_finish(c, e))
        return false;
    size_t n_grid = config_texts(c, "grid", &grid), n_sets = config_texts(c, "sets", &sets);
    for (size_t i = 0; i < n_grid; i++)
        if (!add_words(s, common, true, grid[i], a, e))
            return err_trail(e, "%s", config_where(c, "grid"));
    s->n = n_sets ? (int)n_sets : 1;
    s->list = NEW(a, sweep_space, (size_t)s->n);
    for (int i = 0; i < s->n; i++) {
        s->list[i] = *common;
        if (n_sets && !add_words(s, &s->list[i], false, sets[i], a, e))
            return err_trail(e, "%s: set %d", config_where(c, "sets"), i + 1);
    }
    return true;
}

// Whether one of its spaces has an axis without end of values.
static bool is_endless(const sweep_spaces *s)
{
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->list[i].n; k++)
            if (!s->list[i].axes[k].n)
                return true;
    return false;
}

static bool check_draws(const sweep_spaces *s, err *e)
{
    if (is_endless(s))
        return true;
    sweep_spaces all = *s;
    all.random = 0;
    uint64_t count = sweep_spaces_count(&all);
    return s->random <= count ||
           err_set(e, ERR_USAGE, "--random %llu: there are only %llu different runs; leave it out",
                   (unsigned long long)s->random, (unsigned long long)count);
}

bool sweep_spaces_open(sweep_spaces *s, const char *const *args, int n_args, const char *file,
                       uint64_t random, uint64_t seed, arena *a, err *e)
{
    *s = (sweep_spaces){.random = random, .seed = seed};
    sweep_space *common = NEW(a, sweep_space, 1);
    for (int i = 0; i < n_args; i++)
        if (!add_axis(s, common, true, args[i], a, e))
            return false;
    if (!file)
        s->list = common, s->n = 1;
    else if (!add_file(s, common, file, a, e))
        return false;
    return !random || check_draws(s, e);
}

// ---- Runs by number

static uint64_t product(const sweep_space *s)
{
    uint64_t n = 1;
    for (int i = 0; i < s->n; i++)
        if (__builtin_mul_overflow(n, s->axes[i].n ? s->axes[i].n : 1, &n))
            return UINT64_MAX;
    return n;
}

uint64_t sweep_spaces_count(const sweep_spaces *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < s->n; i++)
        if (__builtin_add_overflow(sum, product(&s->list[i]), &sum))
            return UINT64_MAX;
    return s->random ? s->random : sum;
}

const char *sweep_spaces_describe(const sweep_spaces *s, arena *a)
{
    strbuf out = {0};
    for (int i = 0; i < s->n; i++) {
        strbuf_printf(&out, "%s", i ? " + " : "");
        for (int k = 0, said = 0; k < s->list[i].n; k++)
            if (s->list[i].axes[k].n != 1)
                strbuf_printf(&out, "%s%s %zu", said++ ? " x " : "", s->list[i].axes[k].key,
                              s->list[i].axes[k].n);
    }
    return strbuf_keep(&out, a);
}

static double uniform(uint64_t seed, const char *key, uint64_t i)
{
    rng r = rng_stream(seed, key, 0);
    return ((double)rng_u32(r, i, 0) + (double)rng_u32(r, i, 1) * 0x1p-32) * 0x1p-32;
}

static const char *draw(const sweep_axis *x, uint64_t seed, uint64_t i, arena *a)
{
    double u = uniform(seed, x->key, i);
    if (x->n)
        return value_at(x, (size_t)(u * (double)x->n), a);
    double v = x->log ? exp(log(x->lo) + u * (log(x->hi) - log(x->lo)))
                      : x->lo + u * (x->hi - x->lo + (x->whole ? 1 : 0));
    return arena_printf(a, "%.6g", x->whole ? floor(v) : v);
}

static int from_grid(const sweep_space *s, uint64_t i, const char **out, arena *a)
{
    for (int k = s->n - 1; k >= 0; k--) {
        const sweep_axis *x = &s->axes[k];
        out[k] = arena_printf(a, "%s=%s", x->key, value_at(x, (size_t)(i % x->n), a));
        i /= x->n;
    }
    return s->n;
}

// Of what can be counted no run is drawn twice; of what cannot, each space in its turn.
int sweep_spaces_at(const sweep_spaces *s, uint64_t i, const char **out, arena *a)
{
    int at = 0;
    if (s->random && is_endless(s)) {
        const sweep_space *space = &s->list[i % (uint64_t)s->n];
        for (int k = 0; k < space->n; k++)
            out[k] =
                arena_printf(a, "%s=%s", space->axes[k].key, draw(&space->axes[k], s->seed, i, a));
        return space->n;
    }
    if (s->random) {
        sweep_spaces all = *s;
        all.random = 0;
        i = rng_permute(rng_stream(s->seed, "sweep", 0), 0, i, sweep_spaces_count(&all));
    }
    while (i >= product(&s->list[at]))
        i -= product(&s->list[at++]);
    return from_grid(&s->list[at], i, out, a);
}
