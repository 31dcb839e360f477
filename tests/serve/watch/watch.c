// SPDX-License-Identifier: GPL-3.0-or-later
// watch.c: calls kmidi_process on a thread of its own, and counts what real time may not have.
//
//     watch CHECKPOINT CALLS [RATE [BLOCK]]
//     watch control
//
// malloc and its like, and pthread's locks, are replaced by functions that count the watched thread
// and go on. System calls, mmap, futex, open and write among them, cannot all be replaced, since
// glibc makes its own: a seccomp filter on that thread traps every one but those of its end, and
// the trap counts. `control` does one of each and says what was seen. One JSON object on stdout.
//
// Built with -fsanitize=realtime it leaves all that to the sanitizer, which ends the process at the
// first call that is not for real time.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "include/kmidi.h"

#define REALTIME
#ifdef __has_feature
#if __has_feature(realtime_sanitizer)
#define SANITIZED
#undef REALTIME
#define REALTIME __attribute__((nonblocking))
#endif
#endif

static _Thread_local int watched;
static volatile long memory_calls, lock_calls, system_calls, first_system_call = -1;

#ifndef SANITIZED

// ---- Memory and locks

void *__libc_malloc(size_t n);
void __libc_free(void *p);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
    memory_calls += watched;
    return __libc_malloc(n);
}
void free(void *p)
{
    memory_calls += watched;
    __libc_free(p);
}
void *calloc(size_t n, size_t size)
{
    memory_calls += watched;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    memory_calls += watched;
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    memory_calls += watched;
    return __libc_memalign(align, n);
}
int posix_memalign(void **p, size_t align, size_t n)
{
    memory_calls += watched;
    *p = __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

static int forward(const char *name, void *x)
{
    int (*real)(void *);
    void *at = dlsym(RTLD_NEXT, name);
    memcpy(&real, &at, sizeof real);
    lock_calls += watched;
    return real(x);
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
    return forward("pthread_mutex_lock", m);
}
int pthread_mutex_trylock(pthread_mutex_t *m)
{
    return forward("pthread_mutex_trylock", m);
}
int pthread_rwlock_rdlock(pthread_rwlock_t *m)
{
    return forward("pthread_rwlock_rdlock", m);
}
int pthread_rwlock_wrlock(pthread_rwlock_t *m)
{
    return forward("pthread_rwlock_wrlock", m);
}

// ---- System calls

static void trapped(int sign, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)sign;
    if (watched) {
        system_calls++;
        if (first_system_call < 0)
            first_system_call = info->si_syscall;
    }
#if defined(__x86_64__)
    u->uc_mcontext.gregs[REG_RAX] = 0;
#elif defined(__aarch64__)
    u->uc_mcontext.regs[0] = 0;
#endif
}

static int trap_system_calls(void)
{
#define PASS(call)                                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        PASS(SYS_rt_sigreturn), PASS(SYS_exit), PASS(SYS_exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)};
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    struct sigaction act = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &act, NULL);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program);
}

#else
static int trap_system_calls(void)
{
    return 0;
}
#endif

// ---- What is watched

typedef struct work {
    kmidi_session *s;
    long calls, answers, failed;
    int block, hears, room;
    float *in, *out;
    double worst, ns;
} work;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(work *w, long call, int n)
{
    static unsigned state = 1;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        w->in[i] = 0.1f * ((float)(state >> 8) / (float)(1 << 24) - 0.5f);
    }
    // a note, for the one that takes one; silence and denormals, for the one that hears
    if (!w->hears && n == 65)
        w->in[64] = (float)(call % 128);
    if (w->hears && call % 1000 > 900)
        for (int i = 0; i < n; i++)
            w->in[i] = call & 1 ? 0 : 1e-41f;
}

static void call_all(work *w)
{
    for (long i = 0; i < w->calls; i++) {
        // blocks of any length, each of which may be the one that completes a frame
        int n = w->hears ? (int)(i * 7919 % (w->block + 1)) : w->block;
        fill(w, i, n);
        if (i % 5000 == 4999)
            kmidi_reset(w->s);
        double began = seconds();
        int k = kmidi_process(w->s, w->in, n, w->out, w->room);
        double took = seconds() - began;
        w->ns += took * 1e9;
        w->worst = took > w->worst ? took : w->worst;
        w->answers += k > 0 ? k : 0;
        w->failed += k < 0;
    }
}

// One of each that is not for real time.
REALTIME static void break_rules(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void *volatile p = malloc(24);
    free(p);
    pthread_mutex_lock(&lock);
    syscall(SYS_getppid);
    (void)open("/dev/null", O_RDONLY);
    (void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *watch(void *arg)
{
    free(malloc(100)); // its heap is there, so that a call that takes memory counts and goes on
    int filtered = !trap_system_calls();
    watched = 1;
    if (arg)
        call_all(arg);
    else
        break_rules();
    watched = 0;
    return filtered ? arg : (void *)&watched;
}

static int tell(const work *w, void *end)
{
    printf("{\"calls\": %ld, \"answers\": %ld, \"failed\": %ld, \"memory\": %ld, \"locks\": %ld, "
           "\"system_calls\": %ld, \"first_system_call\": %ld, \"filtered\": %s, "
           "\"mean_us\": %.3f, \"most_us\": %.1f}\n",
           w->calls, w->answers, w->failed, memory_calls, lock_calls, system_calls,
           first_system_call, end == (void *)&watched ? "false" : "true",
           w->calls ? w->ns * 1e-3 / (double)w->calls : 0, w->worst * 1e6);
    return memory_calls || lock_calls || system_calls || w->failed;
}

static int open_work(work *w, char **argv, int argc)
{
    char why[KMIDI_TEXT];
    kmidi_model *m;
    w->calls = atol(argv[2]);
    kmidi_setup setup = {.rate = argc > 3 ? atof(argv[3]) : 48000,
                         .block = argc > 4 ? atoi(argv[4]) : 64};
    if (kmidi_open(argv[1], NULL, &m, why) || kmidi_session_open(m, &setup, &w->s, why)) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    w->block = kmidi_takes(w->s), w->hears = kmidi_hears(m), w->room = kmidi_room(w->s);
    w->in = calloc((size_t)w->block, sizeof *w->in);
    w->out = calloc((size_t)w->room, sizeof *w->out);
    return 0;
}

int main(int argc, char **argv)
{
    work w = {0};
    pthread_t t;
    void *end;
    int control = argc > 1 && !strcmp(argv[1], "control");
    if (!control && (argc < 3 || open_work(&w, argv, argc)))
        return 2;
    if (pthread_create(&t, NULL, watch, control ? NULL : &w) || pthread_join(t, &end))
        return 2;
    return tell(&w, end);
}
