// SPDX-License-Identifier: GPL-3.0-or-later
// hw.c: hwloc (the one file that knows it) for caches, sockets and memory nodes; the system itself
// for what this process may use: its CPU set and, in containers and batch jobs, the limits of its
// control groups, version 1 or 2.
//
// A limit may sit on any group above ours, so every level up to the root is read and the least
// counts. In a container the path in /proc/self/cgroup may be the host's, of which only the root
// exists here: walking up finds it.
#include "base/hw.h"

#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#ifdef __APPLE__
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/str.h"
#include "base/variant.h"

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double hw_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double hw_thread_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

void hw_sleep(double seconds)
{
    if (!(seconds > 0))
        return;
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)(1e9 * (seconds - (double)left.tv_sec));
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

double hw_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load / hw_cores() : 0;
}

uint64_t hw_float_mode(void)
{
    uint64_t mode = 0;
#if defined(__x86_64__)
    mode = _mm_getcsr();
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
#endif
    return mode;
}

void hw_float_mode_back(uint64_t mode)
{
#if defined(__x86_64__)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(mode));
#else
    (void)mode;
#endif
}

void hw_flush_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); // flush to zero, denormals are zero
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" ::"r"(control | (uint64_t)1 << 24));
#endif
}

#ifdef __linux__
// The first line of a small file; false when there is none.
static bool first_line(const char *path, char *out, int size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(out, size, f);
    if (f)
        fclose(f);
    return ok;
}

// Cores that a quota is worth, rounded up; INT32_MAX for none.
static int quota_cores(double quota, double period)
{
    double cores = quota > 0 && period > 0 ? quota / period : 0;
    return cores <= 0 || cores > 1e6 ? INT32_MAX : cores < 1 ? 1 : (int)(cores + 0.999);
}

typedef struct group_limits {
    int cores;
    uint64_t memory;
} group_limits;

static void read_group(const char *dir, bool v2, group_limits *least)
{
    char path[1200], line[128];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (first_line(path, line, sizeof line)) {
        sscanf(line, v2 ? "%lf %lf" : "%lf", &quota, &period);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
        if (!v2 && first_line(path, line, sizeof line))
            period = atof(line);
        int cores = quota_cores(quota, period);
        least->cores = cores < least->cores ? cores : least->cores;
    }
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (first_line(path, line, sizeof line)) {
        unsigned long long bytes = strtoull(line, NULL, 10); // "max" reads as 0: no limit
        if (bytes && bytes < least->memory)
            least->memory = bytes;
    }
}

// One line of /proc/self/cgroup: "0::/path" (v2) or "N:controllers:/path" (v1). Reads its group and
// all above.
static void read_hierarchy(char *line, group_limits *least)
{
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return;
    *controllers++ = 0, *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    bool v2 = !*controllers;
    if (!v2 && !strstr(controllers, "cpu") && !strstr(controllers, "memory"))
        return;
    for (;;) {
        char dir[1100];
        if (v2)
            snprintf(dir, sizeof dir, "/sys/fs/cgroup%.900s", path);
        else
            snprintf(dir, sizeof dir, "/sys/fs/cgroup/%.80s%.900s", controllers, path);
        read_group(dir, v2, least);
        char *slash = strrchr(path, '/');
        if (!slash || !path[0])
            return;
        *slash = 0;
    }
}

static group_limits read_limits(void)
{
    group_limits least = {INT32_MAX, UINT64_MAX};
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[1024];
    while (f && fgets(line, sizeof line, f))
        read_hierarchy(line, &least);
    if (f)
        fclose(f);
    return least;
}

static int allowed_cpus(void)
{
    int n = 0;
    // the kernel refuses a set smaller than its own
    for (int most = 1024; most <= 65536 && n == 0; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(most), set) == 0)
            n = CPU_COUNT_S(CPU_ALLOC_SIZE(most), set);
        CPU_FREE(set);
    }
    return n ? n : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int hw_cores(void)
{
    int cpus = allowed_cpus(), quota = read_limits().cores;
    return cpus < quota ? cpus : quota;
}

uint64_t hw_memory(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t memory_limit(uint64_t memory)
{
    uint64_t limit = read_limits().memory;
    return limit < memory ? limit : memory;
}

uint64_t hw_rss(void)
{
    char line[128];
    unsigned long long size, resident = 0;
    if (first_line("/proc/self/statm", line, sizeof line))
        sscanf(line, "%llu %llu", &size, &resident);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t hw_available(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kib << 10;
}

// VmHWM and not ru_maxrss: the latter counts what the process was before exec, so that a small
// program started by a large one would seem large.
uint64_t hw_peak_rss(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;
    while (f && kib == 0 && fgets(line, sizeof line, f))
        sscanf(line, "VmHWM: %llu", &kib);
    if (f)
        fclose(f);
    return kib * 1024;
}
#endif

#ifdef __APPLE__
static uint64_t sysctl_number(const char *name)
{
    uint64_t value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

int hw_cores(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

uint64_t hw_memory(void)
{
    return sysctl_number("hw.memsize");
}

static uint64_t memory_limit(uint64_t memory)
{
    return memory;
}

uint64_t hw_rss(void)
{
    struct mach_task_basic_info info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) !=
        KERN_SUCCESS)
        return 0;
    return info.resident_size;
}

uint64_t hw_available(void)
{
    return 0;
}

uint64_t hw_peak_rss(void)
{
    struct rusage use;
    // bytes here, KiB elsewhere
    return getrusage(RUSAGE_SELF, &use) == 0 ? (uint64_t)use.ru_maxrss : 0;
}
#endif

#ifdef __x86_64__
// CPUID leaf 7 has the instructions; the system must also save the AMX tiles (XCR0 bits 17 and 18).
void hw_read_bf16(hw *h)
{
    unsigned a, b, c, d, low = 0, high = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    h->amx_bf16 = d >> 22 & 1 && (low >> 17 & 3) == 3;
    h->amx_int8 = d >> 25 & 1 && (low >> 17 & 3) == 3;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        h->avx512_bf16 = a >> 5 & 1 && (low >> 5 & 7) == 7;
}
static const char *const isa_names[VARIANT_COUNT] = {"sse2", "avx2", "avx512"};
#else
void hw_read_bf16(hw *h)
{
    (void)h;
}
static const char *const isa_names[VARIANT_COUNT] = {"neon", "neon", "neon"};
#endif

static size_t cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
    return cache ? cache->attr->cache.size : 0;
}

static void read_topology(hw *h)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        return;
    hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    if (hwloc_topology_load(topology) == 0) {
        hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
        const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
        if (!model)
            model = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "CPUModel");
        snprintf(h->cpu, sizeof h->cpu, "%s", model ? model : "unknown");
        int packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE),
            nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
        h->packages = packages > 0 ? packages : 1;
        h->numa = nodes > 0 ? nodes : 1;
        h->l1d = cache_bytes(topology, HWLOC_OBJ_L1CACHE);
        h->l2 = cache_bytes(topology, HWLOC_OBJ_L2CACHE);
        h->l3 = cache_bytes(topology, HWLOC_OBJ_L3CACHE);
    }
    hwloc_topology_destroy(topology);
}

void hw_read(hw *h)
{
    *h = (hw){.cpu = "unknown", .packages = 1, .numa = 1};
    read_topology(h);
    snprintf(h->isa, sizeof h->isa, "%s", isa_names[variant_best()]);
    h->cores = hw_cores();
    h->memory = hw_memory();
    h->memory_limit = memory_limit(h->memory);
    hw_read_bf16(h);
}

const char *hw_library(void)
{
    return HWLOC_VERSION;
}
