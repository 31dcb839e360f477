// SPDX-License-Identifier: GPL-3.0-or-later
// bench.h: what a worker keeps open from one request to the next: sessions of the models that
// listen and draw. Each process has its own; it is empty where the process begins.
#ifndef KMIDI_SERVE_HTTP_BENCH_H
#define KMIDI_SERVE_HTTP_BENCH_H

#include "base/env.h"
#include "infer/listen.h"
#include "infer/painter.h"
#include "serve/http/shelf.h"

typedef struct bench {
    arena arena;
    listener *ears[SHELF_EARS];
    painter *painter;
} bench;

// NULL with a sentence.
listener *bench_ear(bench *b, const shelf *s, int ear, const env *v, err *e) MUST_CHECK;
painter *bench_painter(bench *b, const shelf *s, const env *v, err *e) MUST_CHECK;
// Opens all of them and has those that listen hear a sound, so that the first request waits no
// longer than the second.
bool bench_warm(bench *b, const shelf *s, const env *v, err *e) MUST_CHECK;

#endif
