// SPDX-License-Identifier: GPL-3.0-or-later
// child.c: fork and exec of this program. Nothing happens between the two but what POSIX allows
// there, so it may be called where there are threads.
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

enum { FAILED_TO_START = 127, OUTPUT_MOST = 64 << 20 };

static const char *self(char *out, size_t size)
{
#ifdef __APPLE__
    uint32_t n = (uint32_t)size;
    return _NSGetExecutablePath(out, &n) == 0 ? out : "kmidi";
#else
    (void)out, (void)size;
    return "/proc/self/exe";
#endif
}

static void with_parent(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(FAILED_TO_START);
#else
    (void)parent;
#endif
}

static void onto(int fd, int number, int flags)
{
    int nowhere = fd >= 0 ? -1 : open("/dev/null", flags);
    dup2(fd >= 0 ? fd : nowhere, number);
    if (nowhere > STDERR_FILENO)
        close(nowhere);
}

// Signals that this program ignores or handles are as they were before it.
static void plain_signals(void)
{
    static const int numbers[] = {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1};
    sigset_t none;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t child_start(const char *const argv[], const char *folder, int out, int said, err *e)
{
    char path[4096];
    const char *program = self(path, sizeof path);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        (void)err_errno(e, "no process can be started");
        return -1;
    }
    if (pid > 0)
        return pid;
    with_parent(parent);
    plain_signals();
    onto(-1, STDIN_FILENO, O_RDONLY), onto(out, STDOUT_FILENO, O_WRONLY);
    onto(said, STDERR_FILENO, O_WRONLY);
    if (folder && chdir(folder))
        _exit(FAILED_TO_START);
    execv(program, (char *const *)(uintptr_t)argv);
    _exit(FAILED_TO_START);
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_ended(pid_t pid)
{
    int status;
    pid_t got = waitpid(pid, &status, WNOHANG);
    return got == pid ? status_of(status) : got < 0 && errno == ECHILD ? FAILED_TO_START : -1;
}

// One read of what is there; false at its end.
static bool drain(int fd, strbuf *into)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0 && into->len < OUTPUT_MOST)
        strbuf_add(into, bytes, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

static bool collect(pid_t pid, int out, int said, const env *world, child_output *o)
{
    struct pollfd both[2] = {{.fd = out, .events = POLLIN}, {.fd = said, .events = POLLIN}};
    bool stopped = false;
    while (both[0].fd >= 0 || both[1].fd >= 0) {
        if (poll(both, 2, 100) > 0)
            for (int i = 0; i < 2; i++)
                if (both[i].fd >= 0 && both[i].revents &&
                    !drain(both[i].fd, i ? &o->said : &o->out))
                    both[i].fd = -1;
        if (!stopped && world && env_stop(world))
            stopped = true, kill(pid, SIGTERM);
    }
    return !stopped;
}

static void close_all(const int *fds, int n)
{
    for (int i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

bool child_run(const char *const argv[], const char *folder, const env *world, child_output *o,
               err *e)
{
    int fd[4] = {-1, -1, -1, -1}, status = 0;
    *o = (child_output){0};
    if (pipe(fd) || pipe(fd + 2)) {
        close_all(fd, 4);
        return err_errno(e, "no pipe can be made");
    }
    for (int i = 0; i < 4; i++)
        fcntl(fd[i], F_SETFD, FD_CLOEXEC);
    pid_t pid = child_start(argv, folder, fd[1], fd[3], e);
    close(fd[1]), close(fd[3]);
    bool ok = pid > 0 && collect(pid, fd[0], fd[2], world, o);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(fd[0]), close(fd[2]);
    o->status = status_of(status);
    return ok || (pid > 0 && err_set(e, ERR_STOPPED, "asked to stop"));
}

const char *child_last_words(const char *said, arena *a)
{
    const char *end = said ? said + strlen(said) : NULL, *line;
    while (end && end > said && end[-1] == '\n')
        end--;
    if (!end || end == said)
        return NULL;
    for (line = end; line > said && line[-1] != '\n'; line--)
        ;
    if (!strncmp(line, "kmidi ", 6)) {
        const char *colon = memchr(line, ':', (size_t)(end - line));
        line = colon && colon + 2 < end ? colon + 2 : line;
    }
    return arena_printf(a, "%.*s", (int)(end - line), line);
}
