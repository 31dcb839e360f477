// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_about.c: what a trainer says of itself (trainer.h).
#include "base/log.h"
#include "train/profile_files.h"
#include "train/trainer_internal.h"

const kit *trainer_kit(const trainer *t)
{
    return &t->kit;
}

const params *trainer_params(const trainer *t)
{
    return t->p;
}

const checkpoint_state *trainer_state(const trainer *t)
{
    return &t->state;
}

const profile *trainer_profile(const trainer *t)
{
    return t->profile;
}

trainer_memory trainer_predict(const trainer *t)
{
    return t->memory;
}

trainer_choice trainer_chosen(const trainer *t)
{
    return t->choice;
}

int64_t trainer_steps_per_epoch(const trainer *t)
{
    return t->per_epoch;
}

int64_t trainer_total(const trainer *t)
{
    return t->total;
}

int64_t trainer_warmup(const trainer *t)
{
    return t->warmup;
}

int64_t trainer_eval_batches(const trainer *t)
{
    return (int64_t)t->s.val.batches;
}

int64_t trainer_eval_count(const trainer *t)
{
    int64_t every =
        t->o->eval_every_steps ? t->o->eval_every_steps : t->o->eval_every * t->per_epoch;
    bool last = !every || t->total % every; // the end is always looked at
    return t->s.val.batches && t->total ? (every ? t->total / every : 0) + last : 0;
}

// Weights, averages of them, and moments; what HDF5 and the names add is small beside them.
uint64_t trainer_file_bytes(const trainer *t)
{
    uint64_t trained = 0, all = 0;
    for (int i = 0; i < t->p->n; i++) {
        all += (uint64_t)t->p->list[i].count;
        trained += t->p->list[i].trainable ? (uint64_t)t->p->list[i].count : 0;
    }
    return sizeof(float) * (all + trained * (uint64_t)(t->o->optim->moments + (t->o->ema > 0)));
}

const plan *trainer_eval_plan(const trainer *t)
{
    return t->eval ? t->eval->session->plan : NULL;
}

const plan *trainer_step_plan(const trainer *t)
{
    return t->plan;
}

void trainer_write_profile(trainer *t)
{
    err e = {0};
    const profile *f = t->profile;
    t->profile = NULL;
    if (!f || !t->folder)
        return;
    if (!profile_steps(f))
        log_say(&t->folder->sink, LOG_WARN,
                "no profile: the first %d steps warm up, and there were no more", PROFILE_WARM_UP);
    else if (!profile_write(f, t->folder->path, &e))
        log_say(&t->folder->sink, LOG_WARN, "no profile: %s", e.text);
    else
        log_say(&t->folder->sink, LOG_INFO,
                "profile: the mean of %d steps in %s/profile.txt; open trace.json beside it in "
                "ui.perfetto.dev",
                profile_steps(f), t->folder->path);
}
