// SPDX-License-Identifier: GPL-3.0-or-later
// doctor.h: what `kmidi doctor` looks at: each a function that fills one finding (doctor_system.c:
// what there is, doctor_speed.c: how fast it is).
#ifndef KMIDI_CMD_DOCTOR_H
#define KMIDI_CMD_DOCTOR_H

#include "base/hw.h"
#include "cmd/cmd.h"

typedef enum verdict {
    FINDING_OK,
    FINDING_NOTE, // worth knowing; nothing fails for it
    FINDING_BAD,
    VERDICTS
} verdict;

typedef struct finding {
    verdict is;
    const char *text;   // what was found, with its figures
    const char *remedy; // NULL where nothing is to be done
    json *values;       // the figures, for scripts
} finding;

typedef struct patient {
    cmd *c;
    const char *dir; // where runs and shards would lie
    hw machine;
    // Of the run that a configuration plans; 0: none was named.
    uint64_t disk_needed, memory_needed;
    int threads; // that would be used
} patient;

void finding_set(patient *p, finding *f, verdict is, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

// doctor_system.c
void doctor_disk(patient *p, finding *f);
void doctor_locks(patient *p, finding *f);
void doctor_clock(patient *p, finding *f);
void doctor_memory(patient *p, finding *f);
void doctor_cores(patient *p, finding *f);
void doctor_libraries(patient *p, finding *f);
void doctor_heat(patient *p, finding *f);
// doctor_speed.c
void doctor_products(patient *p, finding *f);
void doctor_bandwidth(patient *p, finding *f);

#endif
