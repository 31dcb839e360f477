// SPDX-License-Identifier: GPL-3.0-or-later
// pulse.c: load and memory, by base/hw.h (pulse.h).
#include "serve/http/pulse.h"

#include "base/hw.h"

static void take(pulse *p)
{
    double busy = 100 * hw_load(), left = (double)hw_available();
    p->cpu = busy < 100 ? busy : 100;
    p->memory = left > 0 ? 100 * (1 - left / (double)hw_memory()) : -1;
    p->available = left / (1 << 20);
}

json *pulse_json(pulse *p)
{
    double now = hw_seconds();
    if (p->read <= 0 || now - p->read > 1)
        take(p), p->read = now;
    if (p->memory < 0)
        return NULL;
    json *j = json_object();
    json_set_num(j, "cpu_percent", p->cpu);
    json_set_num(j, "memory_percent", p->memory);
    json_set_num(j, "memory_available_mb", p->available);
    return j;
}
