// SPDX-License-Identifier: GPL-3.0-or-later
// slurm.c: the environment of a job, and two of Slurm's commands.
#include "base/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hw.h"

// Seconds that a command has; the most that a script may ask for.
enum { PATIENCE = 20, REQUEUES_MOST = 1000000 };

extern char **environ;

static const char *said(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

void slurm_job(char out[SLURM_NAME])
{
    const char *array = said("SLURM_ARRAY_JOB_ID"), *task = said("SLURM_ARRAY_TASK_ID");
    if (*array && *task)
        snprintf(out, SLURM_NAME, "%.30s_%.30s", array, task);
    else
        snprintf(out, SLURM_NAME, "%.60s", said("SLURM_JOB_ID"));
}

// ---- Asking

static bool start(const char *const argv[], int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t all, none;
    sigfillset(&all), sigemptyset(&none);
    posix_spawn_file_actions_init(&files), posix_spawnattr_init(&how);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    posix_spawnattr_setsigdefault(&how, &all), posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    bool ok =
        posix_spawnp(pid, argv[0], &files, &how, (char *const *)(uintptr_t)argv, environ) == 0;
    posix_spawn_file_actions_destroy(&files), posix_spawnattr_destroy(&how);
    return ok;
}

// What it writes, until its end or that of our patience.
static void collect(int fd, char *text, size_t size)
{
    double end = hw_seconds() + PATIENCE;
    size_t n = 0;
    for (double left; (left = end - hw_seconds()) > 0;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char more[256];
        if (poll(&p, 1, (int)(left * 1000) + 1) <= 0)
            continue;
        ssize_t got = read(fd, more, sizeof more);
        if (got <= 0 && errno != EINTR)
            break;
        size_t kept = got > 0 && n + (size_t)got < size ? (size_t)got : 0;
        memcpy(text + n, more, kept);
        n += kept;
    }
    text[n] = 0;
    text[strcspn(text, "\r\n")] = 0;
}

bool slurm_ask(const char *const argv[], char *text, size_t size)
{
    int fd[2], status = -1;
    pid_t pid;
    text[0] = 0;
    if (pipe(fd))
        return false;
    fcntl(fd[0], F_SETFD, FD_CLOEXEC), fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    bool ok = start(argv, fd[1], &pid);
    close(fd[1]);
    if (ok) {
        collect(fd[0], text, size);
        struct timespec moment = {.tv_nsec = 10000000};
        pid_t got;
        for (int i = 0; (got = waitpid(pid, &status, WNOHANG)) == 0 && i < 100; i++)
            nanosleep(&moment, NULL);
        if (got == 0)
            kill(pid, SIGKILL), waitpid(pid, &status, 0);
    }
    close(fd[0]);
    return ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool squeue(const char *format, char *text, size_t size)
{
    const char *job = said("SLURM_JOB_ID");
    const char *const argv[] = {"squeue", "-h", "-j", job, "-o", format, NULL};
    return *job && slurm_ask(argv, text, size);
}

// ---- Time

double slurm_seconds(const char *text)
{
    long day = 0, hour = 0, minute, second;
    int end = 0;
    if (text[strspn(text, "0123456789:-")] || *text == '-' || strstr(text, ":-"))
        return -1;
    bool ok = (sscanf(text, "%6ld-%2ld:%2ld:%2ld%n", &day, &hour, &minute, &second, &end) == 4 ||
               (day = 0, sscanf(text, "%8ld:%2ld:%2ld%n", &hour, &minute, &second, &end)) == 3 ||
               (hour = 0, sscanf(text, "%8ld:%2ld%n", &minute, &second, &end)) == 2) &&
              !text[end];
    return ok ? (double)day * 86400 + (double)hour * 3600 + (double)minute * 60 + (double)second
              : -1;
}

double slurm_time_left(void)
{
    double end = strtod(said("SLURM_JOB_END_TIME"), NULL);
    char text[256];
    if (end > 0)
        return end - (double)time(NULL);
    double left = squeue("%L", text, sizeof text) ? slurm_seconds(text) : -1;
    return left >= 0 ? left : INFINITY;
}

// ---- Arrays

static int number(const char *name)
{
    char *end;
    const char *text = said(name);
    errno = 0;
    long n = strtol(text, &end, 10);
    return end == text || *end || errno || n < 0 || n > 1000000000 ? -1 : (int)n;
}

bool slurm_task(int *k, int *n, err *e)
{
    int least = number("SLURM_ARRAY_TASK_MIN"), most = number("SLURM_ARRAY_TASK_MAX");
    *k = number("SLURM_ARRAY_TASK_ID"), *n = number("SLURM_ARRAY_TASK_COUNT");
    if (*k < 0 || *n < 1)
        return err_set(e, ERR_USAGE,
                       "this is no task of an array of jobs (SLURM_ARRAY_TASK_ID and "
                       "SLURM_ARRAY_TASK_COUNT are not set); name the part as k/n");
    if (*k < 1 || *k > *n || least != 1 || most != *n)
        return err_set(e, ERR_USAGE,
                       "this array of jobs has %d tasks, %d to %d: of how many parts task %d is "
                       "one, it does not say; name the part as k/n",
                       *n, least, most, *k);
    return true;
}

// ---- Once more

bool slurm_requeue(err *e)
{
    char text[256], job[SLURM_NAME];
    int most = number("KMIDI_REQUEUE"), before = number("SLURM_RESTART_COUNT");
    const char *id = said("SLURM_JOB_ID");
    if (!*id || most < 1 || most > REQUEUES_MOST)
        return false;
    slurm_job(job);
    if (before >= most)
        return err_set(e, ERR_STOPPED,
                       "job %s was started %d times before, and KMIDI_REQUEUE=%d allows no more; "
                       "submit it again to go on",
                       job, before, most);
    if (squeue("%T", text, sizeof text) && strcmp(text, "RUNNING") != 0)
        return false;
    const char *const argv[] = {"scontrol", "requeue", id, NULL};
    return slurm_ask(argv, text, sizeof text) ||
           err_set(e, ERR_IO,
                   "job %s cannot be queued again (scontrol: %s); submit it again to go on", job,
                   *text ? text : "no answer");
}
