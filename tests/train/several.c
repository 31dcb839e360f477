// SPDX-License-Identifier: GPL-3.0-or-later
// several.c: see several.h.
#include "tests/train/several.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "tests/test.h"

bool several_can_run(void)
{
    if (test_shell(NULL, "command -v mpirun") ||
        test_shell(NULL, "ldd %s | grep -q libmpi", test_kmidi()))
        test_skip("no mpirun, or a program made without MPI=1");
    else
        return true;
    return false;
}

const char *several_starter(int n)
{
    static char text[8][200];
    static int turn;
    bool open = !test_shell(NULL, "mpirun --version | grep -q 'Open MPI'");
    char *own = text[turn++ % 8];
    snprintf(own, sizeof text[0], "mpirun %s -n %d",
             open ? "--allow-run-as-root --oversubscribe --bind-to none" : "", n);
    return own;
}

static int64_t number_in(const char *dir, const char *name, int rank)
{
    char path[1300], text[32] = "";
    snprintf(path, sizeof path, "%s.%s.%d", dir, name, rank);
    FILE *f = fopen(path, "r");
    bool whole = f && fgets(text, sizeof text, f) && strchr(text, '\n');
    if (f)
        fclose(f);
    return whole ? atoll(text) : 0;
}

several several_start(int n, const char *dir, const char *arguments)
{
    several s = {.n = n, .dir = dir};
    char line[6000];
    test_shell(NULL, "rm -f %s.pid.*", dir);
    snprintf(line, sizeof line,
             "exec %s sh -c 'echo $$ >%s.pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; "
             "exec %s train %s --run-dir %s' >'%s.out' 2>&1 </dev/null",
             several_starter(n), dir, test_kmidi(), arguments, dir, dir);
    s.starter = fork();
    if (s.starter == 0) {
        test_mortal();
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(98);
    }
    double began = hw_seconds();
    for (int i = 0; i < n && hw_seconds() - began < 60; usleep(2000))
        if ((s.rank[i] = (pid_t)number_in(dir, "pid", i)))
            i++;
    return s;
}

static bool is_over(const several *s)
{
    siginfo_t how = {0};
    return waitid(P_PID, (id_t)s->starter, &how, WEXITED | WNOHANG | WNOWAIT) || how.si_pid;
}

void several_await(const several *s, int lines)
{
    char path[1300];
    double began = hw_seconds();
    snprintf(path, sizeof path, "%s/metrics.jsonl", s->dir);
    for (int n = 0; n < lines && hw_seconds() - began < 60 && !is_over(s); usleep(1000)) {
        FILE *f = fopen(path, "r");
        n = 0;
        for (int c; f && (c = getc(f)) != EOF;)
            n += c == '\n';
        if (f)
            fclose(f);
    }
}

int several_end(several *s, double seconds)
{
    int status = 0;
    double began = hw_seconds();
    while (waitpid(s->starter, &status, WNOHANG) == 0) {
        if (hw_seconds() - began > seconds) {
            for (int i = 0; i < s->n; i++)
                kill(s->rank[i], SIGKILL);
            kill(s->starter, SIGKILL);
            waitpid(s->starter, &status, 0);
            return -1;
        }
        usleep(2000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *several_said(const several *s)
{
    static char text[8000];
    char path[1300];
    arena a = {.name = "said"};
    size_t n = 0;
    snprintf(path, sizeof path, "%s.out", s->dir);
    char *all = file_read(&a, path, 1 << 20, &n, NULL);
    snprintf(text, sizeof text, "%s", all ? all : "");
    arena_free(&a);
    return text;
}
