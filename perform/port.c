// SPDX-License-Identifier: GPL-3.0-or-later
// port.c: the kinds of ports.def (port.h).
#include "perform/port.h"

#include <string.h>

static const midi_port_kind *const kinds[] = {
#define PORT(name) &midi_port_kind_##name,
#include "perform/ports.def"
#undef PORT
};
enum { KINDS = sizeof kinds / sizeof *kinds };

// "jack or alsa"
static const char *kinds_between(const char *between, arena *a)
{
    const char *list = "";
    for (int i = 0; i < KINDS; i++)
        list = arena_printf(a, "%s%s%s", list, i ? between : "", kinds[i]->name);
    return list;
}

midi_port *midi_port_open(const char *kind, const char *name, arena *a, err *e)
{
    for (int i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i]->name, kind))
            return kinds[i]->open(name, a, e);
    err_set(e, ERR_USAGE, "there is no port '%s'; there is %s", kind, kinds_between(" or ", a));
    return NULL;
}

bool midi_port_send(midi_port *p, const uint8_t bytes[3], double when)
{
    return p->kind->send(p, bytes, when);
}

bool midi_port_hear(midi_port *p, uint8_t bytes[3])
{
    return p->kind->hear(p, bytes);
}

void midi_port_close(midi_port *p)
{
    if (p)
        p->kind->close(p);
}

const char *midi_port_name(const midi_port *p)
{
    return p->name;
}
