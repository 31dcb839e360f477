// SPDX-License-Identifier: GPL-3.0-or-later
// proc.c: sockets, descriptors and limits of child processes (proc.h).
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { KEPT = 8 << 20, PAD = 1 << 20 }; // bytes
enum { FILES_MOST = 1 << 20 };
// what can be sent without waiting for the other side; macOS has 8 KiB by itself
enum { BUFFER = 1 << 17 };

#ifdef MSG_NOSIGNAL
enum { SEND_FLAGS = MSG_NOSIGNAL };
#else
enum { SEND_FLAGS = 0 }; // macOS: the socket itself is told (SO_NOSIGPIPE)
#endif

bool proc_pair(int fd[2], err *e)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        return err_errno(
            e, "cannot connect to a worker process; raise the limit of open files (ulimit -n)");
    for (int i = 0; i < 2; i++) {
        fcntl(fd[i], F_SETFD, FD_CLOEXEC);
        setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &(int){BUFFER}, sizeof(int));
#ifdef SO_NOSIGPIPE
        setsockopt(fd[i], SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    }
    return true;
}

ssize_t proc_send(int fd, const void *bytes, size_t n)
{
    return send(fd, bytes, n, SEND_FLAGS);
}

// Closes [first, last] in one call; false where the system has none for it.
static bool close_between(unsigned first, unsigned last)
{
#ifdef SYS_close_range
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
#else
    return first > last;
#endif
}

// By the list of the process's own descriptors (Linux and macOS).
static bool close_listed(int keep)
{
    DIR *d = opendir("/dev/fd");
    if (!d)
        return false;
    for (struct dirent *entry; (entry = readdir(d));) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fd != keep && fd != dirfd(d))
            close(fd);
    }
    closedir(d);
    return true;
}

// One after the other, where /proc is hidden and the system is old.
static void close_each(int keep)
{
    struct rlimit files;
    long most = getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur > FILES_MOST
                    ? FILES_MOST
                    : (long)files.rlim_cur;
    for (int fd = 3; fd < most; fd++)
        if (fd != keep)
            close(fd);
}

void proc_alone(int keep)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (close_between(3, (unsigned)keep - 1) && close_between((unsigned)keep + 1, ~0u))
        return;
    if (!close_listed(keep))
        close_each(keep);
}

// Address space in use; 0 where that is not known.
static uint64_t address_space(void)
{
    uint64_t pages = 0;
#ifdef __linux__
    unsigned long long n = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%llu", &n) == 1)
        pages = n;
    if (f)
        fclose(f);
#endif
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

// The shadow of the address sanitizer takes terabytes.
static bool sanitized(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#endif
#endif
    return false;
}

bool proc_limits(void)
{
    return address_space() > 0 && !sanitized();
}

void proc_limit(uint64_t bytes)
{
    struct rlimit none = {0, 0}, space;
    setrlimit(RLIMIT_CORE, &none);
    if (bytes == 0 || !proc_limits() || getrlimit(RLIMIT_AS, &space))
        return;
    uint64_t most = address_space() + bytes;
    if (space.rlim_cur == RLIM_INFINITY || space.rlim_cur > most) {
        space.rlim_cur = (rlim_t)most;
        setrlimit(RLIMIT_AS, &space);
    }
}

void proc_keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, KEPT);
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_TOP_PAD, PAD);
#endif
}

bool proc_exhausted(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return true;
    munmap(p, bytes);
    return false;
}

int proc_run_quietly(char *const argv[])
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 127 << 8;
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY, 0);
    if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    posix_spawn_file_actions_destroy(&files);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
