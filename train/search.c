// SPDX-License-Identifier: GPL-3.0-or-later
// search.c: divisors, their plans, and which to take (search.h).
#include "train/search.h"

// Divisors of n from the largest on, each at most three quarters of the one before; n, 1 and
// `always` are among them.
static int divisors(int64_t n, int64_t always, int64_t out[SEARCH_MOST])
{
    int count = 0;
    int64_t root = 1;
    while ((root + 1) * (root + 1) <= n)
        root++;
    for (int64_t i = 1; i <= 2 * root; i++) {
        int64_t k = i <= root ? i : 2 * root + 1 - i, d = i <= root ? n / k : k;
        bool next = n % k == 0 && (!count || d < out[count - 1]);
        if (next && count < SEARCH_MOST &&
            (!count || d == 1 || d == always || 4 * d <= 3 * out[count - 1]))
            out[count++] = d;
    }
    return count;
}

bool search_one(const train_options *o, const trainer_setup *s, search_plan *p, err *e)
{
    arena a = {.name = "search"};
    trainer *t = trainer_plan(s, &a, e);
    if (t) {
        p->choice = trainer_chosen(t);
        p->memory = trainer_predict(t);
        p->fits = p->memory.peak <= o->budget;
    }
    arena_free(&a);
    return t != NULL;
}

static bool preferred(const search_result *r, const search_plan *p, const search_plan *than)
{
    bool own = p->choice.micro_batch == r->own, other = than->choice.micro_batch == r->own;
    return own != other ? own : p->memory.peak < than->memory.peak;
}

static int choose(const search_result *r)
{
    double fastest = 0;
    int best = -1, least = 0;
    for (int i = 0; i < r->n; i++) {
        const search_plan *p = &r->list[i];
        if (p->fits && (fastest <= 0 || p->choice.seconds < fastest))
            fastest = p->choice.seconds;
        if (p->memory.peak < r->list[least].memory.peak)
            least = i;
    }
    for (int i = 0; i < r->n; i++) {
        const search_plan *p = &r->list[i];
        if (p->fits && p->choice.seconds <= SEARCH_CLOSE * fastest &&
            (best < 0 || preferred(r, p, &r->list[best])))
            best = i;
    }
    return best < 0 ? least : best;
}

// Norms take the statistics of what is computed at once: that is then what the configuration says.
static int sizes_of(const train_options *o, int64_t whole, int64_t own, int64_t out[SEARCH_MOST])
{
    out[0] = own;
    return train_bound(o) ? 1 : divisors(whole, own, out);
}

bool search_splits(const train_options *o, search_setup setup, void *self, search_result *r, err *e)
{
    int64_t micro[SEARCH_MOST], rows = setup(self, 1).rows, whole = trainer_whole(o, rows, 0);
    r->own = whole < o->batch_size ? whole : o->batch_size;
    int n = sizes_of(o, whole / comm_size(setup(self, 1).comm), r->own, micro);
    r->n = 0;
    for (int i = 0; i < n; i++) {
        if (rows > 0 && micro[i] > rows) // they would never be filled
            continue;
        trainer_setup s = setup(self, micro[i]);
        if (search_one(o, &s, &r->list[r->n], e))
            r->n++; // a batch may be too large for any plan
        else if (micro[i] == 1 || n == 1)
            return false;
    }
    r->best = choose(r);
    return true;
}
