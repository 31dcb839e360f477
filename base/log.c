// SPDX-License-Identifier: GPL-3.0-or-later
// log.c: one line is formatted on the stack and handed to the sink; a longer one ends in "...".
#include "base/log.h"

#include <stdio.h>
#include <string.h>

void log_say(const log_sink *s, log_level level, const char *fmt, ...)
{
    if (!s || !s->write || level < s->least)
        return;
    char line[2000];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof line)
        memcpy(line + sizeof line - 4, "...", 4);
    s->write(s->user, level, line);
}
