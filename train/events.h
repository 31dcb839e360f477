// SPDX-License-Identifier: GPL-3.0-or-later
// events.h: TensorBoard event files (tfrecord framing, tensorflow.Event messages), written by hand:
// four message shapes of protobuf's wire format.
//
// Each record is `u64 length | u32 masked CRC-32C of the length | bytes | u32 masked CRC of the
// bytes`. A file starts with the version record. A resumed run opens a new file with a SessionLog
// START: TensorBoard discards what other files have from that step on, so it is the step after the
// one that was saved. Nothing here allocates after events_open.
#ifndef KMIDI_TRAIN_EVENTS_H
#define KMIDI_TRAIN_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct events events;

// "DIR/events.out.tfevents.TIME.HOST.PID.0". resumed_at: the step that was saved last; < 0: a new
// run.
events *events_open(const char *dir, int64_t resumed_at, arena *a, err *e) MUST_CHECK;
// What was written of later steps than `step` does not count any more.
bool events_resume(events *v, int64_t step, err *e) MUST_CHECK;
bool events_scalar(events *v, int64_t step, const char *tag, double value, err *e) MUST_CHECK;
bool events_flush(events *v, err *e) MUST_CHECK;
void events_close(events *v); // accepts NULL

// The bytes of one record into out (at least 512): for events.c and the tests.
enum { EVENTS_RECORD = 512 };
size_t events_version_record(double wall, uint8_t *out);
size_t events_scalar_record(double wall, int64_t step, const char *tag, float value, uint8_t *out);
size_t events_session_record(double wall, int64_t step, uint8_t *out);

#endif
