// SPDX-License-Identifier: GPL-3.0-or-later
// pulse.h: how busy the machine is, for /health, read once a second at most: a hundred clients may
// ask at the same time.
#ifndef KMIDI_SERVE_HTTP_PULSE_H
#define KMIDI_SERVE_HTTP_PULSE_H

#include "base/json.h"

typedef struct pulse {
    double read;                   // when; 0: never
    double cpu, memory, available; // percent, percent, MiB; memory < 0: not known here
} pulse;

// {"cpu_percent", "memory_percent", "memory_available_mb"}; NULL where the system does not say
// how much memory is left, which readers know as null. From one thread.
json *pulse_json(pulse *p);

#endif
