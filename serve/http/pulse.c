// SPDX-License-Identifier: GPL-3.0-or-later
// pulse.c: /proc/meminfo and /proc/loadavg (pulse.h).
#include "serve/http/pulse.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hw.h"

enum { TEXT = 4096 };

static void read_text(const char *path, char out[TEXT])
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, TEXT - 1, f) : 0;
    if (f)
        fclose(f);
    out[n] = 0;
}

// Kilobytes of a line of /proc/meminfo; 0 where there is none.
static double line_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    double kb = 0;
    return at && sscanf(at + strlen(name), ": %lf", &kb) == 1 ? kb : 0;
}

static void take(pulse *p)
{
    char text[TEXT];
    double load = 0;
    read_text("/proc/loadavg", text);
    sscanf(text, "%lf", &load);
    read_text("/proc/meminfo", text);
    double all = line_of(text, "MemTotal"), left = line_of(text, "MemAvailable");
    double busy = 100 * load / (double)sysconf(_SC_NPROCESSORS_ONLN);
    p->cpu = busy < 100 ? busy : 100;
    p->memory = all > 0 && left > 0 ? 100 * (1 - left / all) : -1;
    p->available = left / 1024;
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
