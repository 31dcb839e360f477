// SPDX-License-Identifier: GPL-3.0-or-later
// env.h: what main hands down instead of globals.
#ifndef KMIDI_BASE_ENV_H
#define KMIDI_BASE_ENV_H

#include "base/log.h"
#include "base/threads.h"

struct kit; // autograd/kit.h

typedef struct env {
    const log_sink *log;      // may be NULL
    threads *pool;            // may be NULL: everything on the caller's thread
    struct kit *kit;          // that plans are made with; NULL: each chooses (plan.h)
    bool (*stop)(void *user); // asked in every long loop: "finish and save now?"; may be NULL
    void *user;
} env;

static inline bool env_stop(const env *v)
{
    return v->stop && v->stop(v->user);
}

#endif
