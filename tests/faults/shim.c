// SPDX-License-Identifier: GPL-3.0-or-later
// shim.c: a library to be preloaded (LD_PRELOAD) that lets the n-th call of one kind fail.
//
//     KMIDI_FAULT=write:17:5      the 17th write fails with errno 5
//     KMIDI_FAULT=write:17:5+     and every one behind it
//     KMIDI_FAULT=write:17:0      it writes half of what it should (a short write, which is no
//                                 error)
//     KMIDI_FAULT=count:0:0       none does; calls of each kind are counted
//     KMIDI_FAULT_TOLD=FILE       made when the fault happens, with the library that made the call
//                                 and, on a second line, the one that crashed or called exit
//                                 thereafter; of a count, lines "write 17" at the end
//
// Kinds: write (pwrite, writev), stdio (fwrite, fflush, fclose), fsync, ftruncate, rename, link,
// unlink, mkdir, close, open (fopen, opendir), read (pread), flock, fork, malloc (calloc, realloc,
// aligned ones), mmap, pthread_create. Counted from main on, since the start-up of libraries is not
// ours. What glibc calls within itself does not pass here: that is why stdio is a kind of its own.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static struct {
    char kind[24];
    long n;
    int number;
    bool on;
    const char *told;
} fault;
static atomic_bool armed, happened;
static const char *const kinds[] = {"write",  "stdio",  "fsync", "ftruncate",     "rename", "link",
                                    "unlink", "mkdir",  "close", "open",          "read",   "flock",
                                    "fork",   "malloc", "mmap",  "pthread_create"};
enum { KINDS = sizeof kinds / sizeof *kinds };
static atomic_long calls[KINDS];

static void tell_text(const char *text, size_t n)
{
    long fd = fault.told
                  ? syscall(SYS_openat, AT_FDCWD, fault.told, O_WRONLY | O_CREAT | O_APPEND, 0666)
                  : -1;
    if (fd < 0)
        return;
    (void)!syscall(SYS_write, fd, text, n);
    syscall(SYS_close, fd);
}

// The file that the code at `at` is of.
static const char *file_of(void *at)
{
    Dl_info who = {0};
    return at && dladdr(at, &who) && who.dli_fname ? who.dli_fname : "?";
}

static void tell(const char *what, void *at)
{
    bool was = armed;
    armed = false; // dladdr may ask for memory
    tell_text(what, strlen(what));
    tell_text(file_of(at), strlen(file_of(at)));
    armed = was;
}

// Who had libc ask, where it asks for itself (strdup, opendir).
static void tell_caller(void *from)
{
    void *frames[16];
    bool was = armed;
    tell("", from);
    armed = false; // backtrace asks for memory
    int n = strstr(file_of(from), "libc.so") ? backtrace(frames, 16) : 0;
    for (int i = 0; i < n; i++)
        if (!strstr(file_of(frames[i]), "libc.so") && !strstr(file_of(frames[i]), "shim.so")) {
            tell(" for ", frames[i]);
            break;
        }
    armed = was;
}

// Whether this call, which `from` made, is to fail; errno is set.
static bool fails_from(const char *kind, void *from)
{
    int i = 0;
    if (!armed || (fault.n && strcmp(kind, fault.kind)))
        return false;
    while (i < KINDS - 1 && strcmp(kinds[i], kind))
        i++;
    long k = atomic_fetch_add(&calls[i], 1) + 1;
    if (!fault.n || k < fault.n || (k > fault.n && !fault.on))
        return false;
    if (k == fault.n) {
        happened = true;
        tell_caller(from);
    }
    errno = fault.number;
    return true;
}

#define fails(kind) fails_from(kind, __builtin_return_address(0))

#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

// A function that fails or does what it does.
#define MAY_FAIL(type, name, kind, failed, parameters, arguments)                                  \
    SEEN type name parameters                                                                      \
    {                                                                                              \
        REAL(name);                                                                                \
        return fails(kind) ? failed : real arguments;                                              \
    }

// ---- Begin and end

static int (*true_main)(int, char **, char **);

// Who called what crashed: the first that is neither glibc nor this.
static void crash(int number)
{
    void *at[64];
    armed = false;
    for (int i = 0, n = backtrace(at, 64); i < n; i++)
        if (!strstr(file_of(at[i]), "/libc.so") && !strstr(file_of(at[i]), "/shim.so")) {
            if (happened)
                tell("\nended by ", at[i]);
            break;
        }
    raise(number); // SA_RESETHAND: as it would have ended
}

static void watch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    void *first[1];
    (void)backtrace(first, 1); // loads what it needs
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(
            signals[i],
            &(struct sigaction){.sa_handler = crash, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)},
            NULL);
}

SEEN void exit(int status)
{
    void (*real)(int) __attribute__((noreturn)) = (__typeof__(real))dlsym(RTLD_NEXT, "exit");
    if (happened)
        tell("\nended by ", __builtin_return_address(0));
    real(status);
}

static int begin(int argc, char **argv, char **env)
{
    const char *text = getenv("KMIDI_FAULT");
    char plus = 0;
    fault.told = getenv("KMIDI_FAULT_TOLD");
    watch_crashes();
    if (text && sscanf(text, "%23[a-z_]:%ld:%d%c", fault.kind, &fault.n, &fault.number, &plus) >= 3)
        fault.on = plus == '+', armed = true;
    return true_main(argc, argv, env);
}

SEEN int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
                           void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                           void *stack)
{
    int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *) = (__typeof__(real))dlsym(RTLD_NEXT, "__libc_start_main");
    true_main = program;
    return real(begin, argc, argv, init, fini, rtld_fini, stack);
}

__attribute__((destructor)) static void end(void)
{
    char text[64];
    armed = false;
    for (int i = 0; i < KINDS && !fault.n && fault.kind[0]; i++)
        tell_text(text, (size_t)snprintf(text, sizeof text, "%s %ld\n", kinds[i], (long)calls[i]));
}

// ---- Writing

// A call that writes n bytes: all, half of them, or an error.
static bool cut(size_t *n, bool *error, void *from)
{
    bool hit = fails_from("write", from);
    *error = hit && fault.number;
    if (hit && !fault.number && *n > 1)
        *n /= 2;
    return *error;
}

SEEN ssize_t write(int fd, const void *p, size_t n)
{
    bool error;
    REAL(write);
    return cut(&n, &error, __builtin_return_address(0)) ? -1 : real(fd, p, n);
}

SEEN ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    bool error;
    REAL(pwrite);
    return cut(&n, &error, __builtin_return_address(0)) ? -1 : real(fd, p, n, at);
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    bool error;
    REAL(pwrite64);
    return cut(&n, &error, __builtin_return_address(0)) ? -1 : real(fd, p, n, at);
}

MAY_FAIL(ssize_t, writev, "write", -1, (int fd, const struct iovec *v, int n), (fd, v, n))

SEEN size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    REAL(fwrite);
    return fails("stdio") ? 0 : real(p, size, n, f);
}

SEEN int fflush(FILE *f)
{
    REAL(fflush);
    int done = real(f);
    return fails("stdio") ? EOF : done;
}

SEEN int fclose(FILE *f)
{
    REAL(fclose);
    int done = real(f);
    return fails("stdio") ? EOF : done;
}

MAY_FAIL(int, fsync, "fsync", -1, (int fd), (fd))
MAY_FAIL(int, fdatasync, "fsync", -1, (int fd), (fd))
MAY_FAIL(int, ftruncate, "ftruncate", -1, (int fd, off_t n), (fd, n))
MAY_FAIL(int, ftruncate64, "ftruncate", -1, (int fd, off64_t n), (fd, n))

// ---- Names

MAY_FAIL(int, rename, "rename", -1, (const char *from, const char *to), (from, to))
MAY_FAIL(int, link, "link", -1, (const char *from, const char *to), (from, to))
MAY_FAIL(int, unlink, "unlink", -1, (const char *path), (path))
MAY_FAIL(int, mkdir, "mkdir", -1, (const char *path, mode_t mode), (path, mode))

// The descriptor is gone all the same, as with Linux.
SEEN int close(int fd)
{
    REAL(close);
    int done = real(fd);
    return fails("close") ? -1 : done;
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

SEEN int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fails("open") ? -1 : real(path, flags, mode);
}

SEEN int open64(const char *path, int flags, ...)
{
    REAL(open64);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fails("open") ? -1 : real(path, flags, mode);
}

SEEN int openat(int dir, const char *path, int flags, ...)
{
    REAL(openat);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fails("open") ? -1 : real(dir, path, flags, mode);
}

MAY_FAIL(FILE *, fopen, "open", NULL, (const char *path, const char *mode), (path, mode))
MAY_FAIL(FILE *, fopen64, "open", NULL, (const char *path, const char *mode), (path, mode))
MAY_FAIL(DIR *, opendir, "open", NULL, (const char *path), (path))

// ---- Reading

MAY_FAIL(ssize_t, read, "read", -1, (int fd, void *p, size_t n), (fd, p, n))
MAY_FAIL(ssize_t, pread, "read", -1, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
MAY_FAIL(ssize_t, pread64, "read", -1, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
MAY_FAIL(int, flock, "flock", -1, (int fd, int how), (fd, how))

// ---- Memory and threads. dlsym itself takes memory, so glibc's own names stand behind these.

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

SEEN void *malloc(size_t n)
{
    return fails("malloc") ? NULL : __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
    return fails("malloc") ? NULL : __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
    return fails("malloc") ? NULL : __libc_realloc(p, n);
}

SEEN void *aligned_alloc(size_t align, size_t n)
{
    return fails("malloc") ? NULL : __libc_memalign(align, n);
}

SEEN void *memalign(size_t align, size_t n)
{
    return fails("malloc") ? NULL : __libc_memalign(align, n);
}

SEEN int posix_memalign(void **p, size_t align, size_t n)
{
    *p = fails("malloc") ? NULL : __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

SEEN void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (fails("mmap"))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

SEEN void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset)
{
    return mmap(at, n, protection, flags, fd, offset);
}

SEEN int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                        void *user)
{
    REAL(pthread_create);
    return fails("pthread_create") ? errno : real(thread, attributes, run, user);
}

SEEN pid_t fork(void)
{
    REAL(fork);
    return fails("fork") ? -1 : real();
}
