// SPDX-License-Identifier: GPL-3.0-or-later
// hw.h: what this machine has, as far as this process may use it: hwloc, plus cgroup limits and the
// cpuset.
#ifndef KMIDI_BASE_HW_H
#define KMIDI_BASE_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hw {
    char cpu[128];         // model name
    char isa[64];          // widest vector set in use: "avx512", "avx2", "neon", ...
    int cores;             // cores this process may run on (cpuset, then cgroup quota rounded up)
    int packages, numa;    // sockets, memory nodes
    uint64_t memory;       // bytes of RAM
    uint64_t memory_limit; // the least of RAM and every cgroup limit above us
    size_t l1d, l2, l3;    // bytes of one cache of each level, 0 when unknown
    bool avx512_bf16, amx_bf16, amx_int8;
} hw;

void hw_read(hw *h);      // about 10 ms
void hw_read_bf16(hw *h); // those three alone, in microseconds
int hw_cores(void);       // the cores alone, without hwloc, in microseconds
double hw_seconds(void);  // monotonic clock
// of this thread's processor time: what other processes take of a busy machine does not count
double hw_thread_seconds(void);
void hw_sleep(double seconds); // at least so long, whatever signals come; nothing below 0
uint64_t hw_peak_rss(void);    // most resident bytes of this process so far (VmHWM)
uint64_t hw_rss(void);         // resident bytes now
uint64_t hw_memory(void);      // bytes of RAM, without hwloc
double hw_load(void);          // processes that wanted to run, the mean of a minute, for each core
uint64_t hw_available(void);   // bytes that the system would give now; 0: it does not say
void hw_flush_denormals(void); // this thread: denormal results and inputs are zero
// How this thread computes with floats: to be put back in a thread that is somebody else's.
uint64_t hw_float_mode(void);
void hw_float_mode_back(uint64_t mode);

const char *hw_library(void); // the library's version, as it calls itself

#endif
