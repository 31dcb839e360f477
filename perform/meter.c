// SPDX-License-Identifier: GPL-3.0-or-later
// meter.c: histograms of times (meter.h).
#include "perform/meter.h"

#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "serve/ring.h"

enum { WAITING = 1024, CELLS = 100000, PER_MS = 100 };
#define GB 1e9

// KmiDi's training/metal_m4_session/dual_model_config.yaml.
const meter_budget meter_budgets[METER_PARTS] = {
    {"midi", 5}, {"spectocloud", 8}, {"rendering", 3}, {"overhead", 0.67}};

typedef struct histogram {
    uint32_t cells[CELLS]; // of 1 / PER_MS ms; the last: all above
    long long n;
    double sum, most;
} histogram;

struct meter {
    ring frames; // of meter_frame
    histogram whole, part[METER_PARTS], second;
    long long count, fresh, late, skipped;
    double since, tokens; // of the second that goes on
    double now;
    uint64_t memory, limit; // bytes: of the machine, that this process may have
};

meter *meter_open(arena *a)
{
    meter *m = NEW(a, meter, 1);
    hw h;
    hw_read(&h);
    m->memory = h.memory, m->limit = h.memory_limit;
    ring_open(&m->frames, NEW(a, meter_frame, WAITING), sizeof(meter_frame), WAITING);
    return m;
}

bool meter_put(meter *m, const meter_frame *f)
{
    meter_frame *to = ring_write(&m->frames);
    if (to)
        *to = *f, ring_written(&m->frames);
    return to != NULL;
}

static void add(histogram *h, double ms)
{
    double cell = ms * PER_MS;
    h->cells[cell < 0 ? 0 : cell < CELLS - 1 ? (int)cell : CELLS - 1]++;
    h->n++;
    h->sum += ms;
    h->most = ms > h->most ? ms : h->most;
}

// The upper edge of the cell in which the share lies; of the last, the most.
static double at_share(const histogram *h, double share)
{
    long long below = 0, want = (long long)ceil(share * (double)h->n);
    for (int i = 0; i < CELLS - 1; i++)
        if ((below += h->cells[i]) >= want)
            return (i + 1.0) / PER_MS < h->most ? (i + 1.0) / PER_MS : h->most;
    return h->most;
}

void meter_take(meter *m)
{
    for (const meter_frame *f; (f = ring_read(&m->frames)); ring_done(&m->frames)) {
        m->count++, m->fresh += f->fresh, m->late += f->late, m->skipped += f->skipped;
        add(&m->whole, (double)f->whole);
        add(&m->second, (double)f->whole);
        for (int i = 0; i < METER_PARTS; i++)
            if (f->part[i] >= 0)
                add(&m->part[i], (double)f->part[i]);
    }
}

// Of what this process may have, or of the machine, whichever is nearer to its end.
static double memory_share(const meter *m, uint64_t rss)
{
    uint64_t left = hw_available();
    double own = m->limit ? (double)rss / (double)m->limit : 0,
           all = left && m->memory > left ? 1 - (double)left / (double)m->memory : 0;
    return own > all ? own : all;
}

bool meter_take_second(meter *m, double now, double tokens, meter_second *out)
{
    double lasted = now - m->since;
    m->now = now;
    if (lasted < 1)
        return false;
    const histogram *h = &m->second;
    uint64_t rss = hw_rss();
    *out = (meter_second){.at = now,
                          .fps = (double)h->n / lasted,
                          .frame_ms = h->n ? h->sum / (double)h->n : 0,
                          .p99_ms = h->n ? at_share(h, 0.99) : 0,
                          .memory_gb = (double)rss / GB,
                          .memory_share = memory_share(m, rss),
                          .tokens = (tokens - m->tokens) / lasted};
    memset(&m->second, 0, sizeof m->second);
    m->since = now, m->tokens = tokens;
    return true;
}

static meter_times times_of(const histogram *h, double budget)
{
    long long within = 0;
    if (!h->n)
        return (meter_times){0};
    for (int i = 0; i < CELLS && i < budget * PER_MS; i++)
        within += h->cells[i];
    return (meter_times){.n = h->n,
                         .mean = h->sum / (double)h->n,
                         .p50 = at_share(h, 0.5),
                         .p99 = at_share(h, 0.99),
                         .most = h->most,
                         .over = 1 - (double)within / (double)h->n};
}

meter_sum meter_all(const meter *m, double period)
{
    meter_sum s = {.frames = m->count,
                   .fresh = m->fresh,
                   .late = m->late,
                   .skipped = m->skipped,
                   .fps = m->now > 0 ? (double)m->count / m->now : 0};
    for (int i = 0; i < METER_PARTS; i++)
        s.part[i] = times_of(&m->part[i], meter_budgets[i].ms);
    s.whole = times_of(&m->whole, period);
    return s;
}
