// SPDX-License-Identifier: GPL-3.0-or-later
// shell.c: what a test starts, and that it ends.
//
// What a test starts through test_shell is a process group of its own. It dies with this program,
// however that ends: a guard, a small process in a session of its own, waits for the end of a pipe
// that only this program writes to, and then kills the group.
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/test.h"

static int guard_pipe = -1;

void test_mortal(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static int status_of(int status)
{
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void guard(int from)
{
    pid_t group = 0;
    setsid();
    for (pid_t next; read(from, &next, sizeof next) == (ssize_t)sizeof next;)
        group = next;
    if (group > 0)
        kill(-group, SIGKILL);
    _exit(0);
}

static void close_on_exec(int fd)
{
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
}

void test_guard(void)
{
    int fd[2];
    CHECK(pipe(fd) == 0);
    close_on_exec(fd[0]), close_on_exec(fd[1]);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(fd[1]);
        if (fork() != 0) // nobody's child: a test may ask whether it has left any
            _exit(0);
        guard(fd[0]);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    close(fd[0]);
    guard_pipe = fd[1];
}

// The group that is to die with this program; 0: none.
static void tell_guard(pid_t group)
{
    CHECK(write(guard_pipe, &group, sizeof group) == (ssize_t)sizeof group);
}

static pid_t start_shell(const char *command, int *from)
{
    int fd[2];
    CHECK(pipe(fd) == 0);
    close_on_exec(fd[0]);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setpgid(0, 0);
        dup2(fd[1], STDOUT_FILENO), dup2(fd[1], STDERR_FILENO);
        close(fd[1]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(child, child); // whoever comes first
    close(fd[1]);
    *from = fd[0];
    return child;
}

int test_shell(const char **out, const char *fmt, ...)
{
    static strbuf output;
    char piece[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && n < (int)sizeof piece);
    fflush(stdout);
    int from, status = -1;
    pid_t shell = start_shell(piece, &from);
    tell_guard(shell);
    output.len = 0;
    strbuf_add(&output, "", 0);
    for (ssize_t k; (k = read(from, piece, sizeof piece)) > 0;)
        strbuf_add(&output, piece, (size_t)k);
    close(from);
    CHECK(waitpid(shell, &status, 0) == shell);
    tell_guard(0);
    if (out)
        *out = output.s;
    return status_of(status);
}
