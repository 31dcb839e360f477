// SPDX-License-Identifier: GPL-3.0-or-later
// err.c: sentences are built in a local buffer first, so that a caller may pass the text it already
// has as an argument.
//
// Names of files come from outside: control characters in them become '?', so that a sentence stays
// one line and cannot steer a terminal.
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int status;
    const char *name;
} codes[] = {
#define X(code, status, name) {status, name},
    ERR_LIST(X)
#undef X
};

static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

static void format(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n < 0)
        out[0] = 0;
    else if ((size_t)n >= size)
        memcpy(out + size - 4, "...", 4);
    one_line(out);
}

// What the caller of a function with `...` behind fmt says, into the array `out`.
#define FORMAT(out, fmt)                                                                           \
    do {                                                                                           \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        format(out, sizeof(out), fmt, ap);                                                         \
        va_end(ap);                                                                                \
    } while (0)

bool err_set(err *e, err_code code, const char *fmt, ...)
{
    if (!e)
        return false;
    char text[sizeof e->text];
    FORMAT(text, fmt);
    e->code = code;
    memcpy(e->text, text, sizeof text);
    return false;
}

bool err_trail(err *e, const char *fmt, ...)
{
    if (!e)
        return false;
    char text[sizeof e->text];
    FORMAT(text, fmt);
    size_t n = strlen(text), room = sizeof text - n;
    int more = snprintf(text + n, room, ": %s", e->text);
    if (more < 0 || (size_t)more >= room)
        memcpy(text + sizeof text - 4, "...", 4);
    memcpy(e->text, text, sizeof text);
    return false;
}

bool err_errno(err *e, const char *fmt, ...)
{
    int number = errno;
    if (!e)
        return false;
    char text[sizeof e->text];
    FORMAT(text, fmt);
    return err_set(e,
                   number == ENOENT   ? ERR_MISSING
                   : number == ENOMEM ? ERR_MEMORY
                                      : ERR_IO,
                   "%s: %s", text, strerror(number));
}

int err_status(err_code code)
{
    return codes[code].status;
}

const char *err_name(err_code code)
{
    return codes[code].name;
}

_Noreturn void err_broken(const char *cond, const char *file, int line)
{
    // The one place outside cmd/ that prints: there is nobody left to hand this to.
    fprintf(stderr, "kmidi: internal error: %s does not hold at %s:%d; please report this\n", cond,
            file, line);
    abort();
}
