// SPDX-License-Identifier: GPL-3.0-or-later
// worker_process.c: worker processes come and go (worker_internal.h).
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/worker_internal.h"

bool worker_start(const worker_options *o, worker_slot *s, err *e)
{
    int fd[2];
    if (!proc_pair(fd, e))
        return false;
    s->pid = fork();
    if (s->pid == 0)
        worker_child(o, fd[1]);
    close(fd[1]);
    if (s->pid < 0) {
        s->pid = 0;
        close(fd[0]);
        return err_errno(e, "cannot start a worker process; lower jobs or raise the limit of "
                            "processes (ulimit -u)");
    }
    s->fd = fd[0];
    return true;
}

int worker_stop(worker_slot *s, bool kill_it)
{
    int status = 0;
    if (s->pid <= 0)
        return 0;
    close(s->fd);
    if (kill_it)
        kill(s->pid, SIGKILL);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    s->got = 0;
    return status;
}
