// SPDX-License-Identifier: GPL-3.0-or-later
// log.h: what the library rooms say while they work. They never print: a sink, owned by cmd/, does.
#ifndef KMIDI_BASE_LOG_H
#define KMIDI_BASE_LOG_H

#include <stdarg.h>

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN } log_level;

typedef struct log_sink {
    log_level least; // what lies below is dropped
    // one line, without newline; any thread
    void (*write)(void *user, log_level level, const char *line);
    void *user;
} log_sink;

// `s` may be NULL: silence.
void log_say(const log_sink *s, log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
