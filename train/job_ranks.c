// SPDX-License-Identifier: GPL-3.0-or-later
// job_ranks.c: the processes of a run before its first step: what must be the same, and what one
// chooses for all (job.h).
#include <stdio.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"
#include "base/version.h"
#include "train/job.h"
#include "train/products.h"

// Of the program as it stands on the disk: two of one revision may have been compiled otherwise.
static const char *program(arena *a)
{
    char hex[65] = "";
    size_t n;
    arena_mark m = arena_save(a);
    char *bytes = file_read(a, "/proc/self/exe", (size_t)1 << 32, &n, NULL);
    if (bytes)
        digest_of(bytes, n, hex);
    arena_rewind(a, m);
    return arena_printf(a, "%s, %s, %.12s", KMIDI_VERSION, version_revision(), hex);
}

static const char *begins_at(const job *j)
{
    checkpoint *k = j->resume ? checkpoint_open(j->resume, j->a, NULL) : NULL;
    long long step = k ? (long long)k->state.step : -1;
    checkpoint_close(k);
    return k ? arena_printf(j->a, "step %lld of '%s'%s", step, j->resume, j->done ? ", done" : "")
             : "its beginning";
}

// A line for each.
static const char *shards_of(const job *j, const dataset *d)
{
    strbuf text = {0};
    strbuf_printf(&text, "%s", d ? "" : "none");
    for (size_t i = 0; d && i < d->n_shards; i++)
        strbuf_printf(&text, "'%s', %lld items, key %s\n", path_base(d->paths[i]),
                      (long long)(d->first[i + 1] - d->first[i]), d->keys[i]);
    return strbuf_keep(&text, j->a);
}

// Plans are made by what is free and by the budget: of all the least, so that all make the same.
static bool level(job *j, err *e)
{
    typedef struct figures {
        uint64_t base, budget;
    } figures;
    int n = comm_size(j->r.comm);
    figures mine = {j->base, j->options.budget}, *all = NEW(j->a, figures, (size_t)n);
    if (!comm_gather(j->r.comm, &mine, sizeof mine, all, e))
        return false;
    for (int i = 0; i < n; i++) {
        j->base = all[i].base > j->base ? all[i].base : j->base;
        j->options.budget = all[i].budget < j->options.budget ? all[i].budget : j->options.budget;
    }
    return true;
}

bool job_meet(job *j, err *e)
{
    comm *c = j->r.comm;
    return comm_size(c) == 1 ||
           (comm_same(c, "version of the program", program(j->a), "start one program everywhere",
                      e) &&
            comm_same(c, "configuration", j->config_text, "give all ranks one command line", e) &&
            comm_same(c, "place to go on from", begins_at(j), "let all see one run folder", e));
}

bool job_alike(job *j, err *e)
{
    comm *c = j->r.comm;
    static const char data[] = "let all ranks read the same shards";
    return comm_size(c) == 1 ||
           (comm_same(c, "vector width", variant_name(j->r.env->kit->width),
                      "run on equal machines, or set KMIDI_ISA for all", e) &&
            comm_same(c, "shard in data.train", shards_of(j, j->shards->train), data, e) &&
            comm_same(c, "shard in data.val", shards_of(j, j->shards->val), data, e) &&
            level(j, e));
}

bool job_planned_alike(job *j, err *e)
{
    comm *c = j->r.comm;
    return comm_size(c) == 1 ||
           comm_same(c, "way to keep activations", precision_name(trainer_chosen(j->trainer).kept),
                     "set memory.activations", e);
}

// Rank 0 measures and searches; what it finds holds for all.
bool job_choose_alike(job *j, int64_t *micro_batch, err *e)
{
    comm *c = j->r.comm;
    const train_options *o = &j->options;
    if (comm_size(c) == 1)
        return job_split(j, false, micro_batch, e);
    struct {
        int64_t micro_batch;
        char products[GEMM_SAID_MAX];
    } found = {0};
    bool ok = comm_rank(c) || (trainer_shares(c, trainer_whole(o, j->shards->rows, o->micro_batch),
                                              o->micro_batch, e) &&
                               job_split(j, false, &found.micro_batch, e));
    const char *own =
        gemm_said(&j->r.env->kit->products, j->options.precision != PRECISION_FP32, j->a);
    snprintf(found.products, sizeof found.products, "%s", own);
    if (!comm_agree(c, ok, e) || !comm_broadcast(c, &found, sizeof found, e))
        return false;
    *micro_batch = found.micro_batch;
    ok = !strcmp(found.products, own) || products_open_said(j->r.env, found.products, j->a, e);
    return comm_agree(c, ok, e);
}
