// SPDX-License-Identifier: GPL-3.0-or-later
// served.c: see served.h.
#include "tests/serve/http/served.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "tests/test.h"

enum { WORDS = 64, LINE = 4096, SECONDS = 60 };

static pid_t child;
static char host[64];

static char **words_of(const char *args, arena *a)
{
    char **list = NEW(a, char *, WORDS), *rest = arena_strdup(a, args), *word;
    int n = 0;
    list[n++] = arena_strdup(a, test_kmidi());
    list[n++] = "serve", list[n++] = "--json", list[n++] = "--listen", list[n++] = "127.0.0.1:0";
    while ((word = strsep(&rest, " ")) && n < WORDS - 1)
        if (*word)
            list[n++] = str_ends(word, ".h5") && !strchr(word, '/')
                            ? arena_strdup(a, test_path(word))
                            : word;
    return list;
}

static pid_t start(char **argv, int out)
{
    const char *log = test_path("served.log");
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    test_mortal();
    int said = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1), dup2(said, 2);
    execv(argv[0], argv);
    _exit(127);
}

// The first line that it prints says where it is.
static bool read_host(int fd)
{
    char line[LINE] = "";
    size_t n = 0;
    while (n + 1 < sizeof line && !strchr(line, '\n')) {
        ssize_t k = read(fd, line + n, sizeof line - 1 - n);
        if (k <= 0)
            return false;
        n += (size_t)k, line[n] = 0;
    }
    const char *at = strstr(line, "http://");
    return at && sscanf(at + 7, "%63[^\"]", host) == 1;
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = 20000000};
    nanosleep(&t, NULL);
}

static bool wait_ready(void)
{
    int status = 0;
    for (int i = 0; i < SECONDS * 50 && status != 200; i++) {
        reply r = served_ask("GET", "/ready", NULL, NULL);
        status = r.status;
        reply_free(&r);
        if (status != 200)
            nap();
    }
    return status == 200;
}

bool served_start(const char *args)
{
    arena a = {0};
    int fd[2];
    CHECK(child == 0 && pipe(fd) == 0);
    child = start(words_of(args, &a), fd[1]);
    close(fd[1]);
    bool ok = read_host(fd[0]) && wait_ready();
    close(fd[0]);
    arena_free(&a);
    if (!ok)
        served_stop(SIGKILL);
    return test_expect(ok, __FILE__, __LINE__, "the service did not begin: %s", served_log());
}

int served_pid(void)
{
    return (int)child;
}

int served_kill(int number)
{
    return kill(child, number);
}

int served_stop(int number)
{
    int status = 0;
    if (child <= 0)
        return -1;
    kill(child, number);
    waitpid(child, &status, 0);
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

const char *served_host(void)
{
    return host;
}

const char *served_log(void)
{
    static char text[1 << 20]; // one that is long in coming is asked often whether it is ready
    FILE *f = fopen(test_path("served.log"), "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    return text;
}

// ---- A client

int served_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval most = {.tv_sec = SECONDS};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(host, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

void served_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = proc_send(fd, bytes, n);
        if (k <= 0)
            return;
        bytes += k, n -= (size_t)k;
    }
}

// Parts head and body; true when the body is as long as the head says.
static bool is_whole(reply *r, strbuf *all)
{
    char *end = all->s ? strstr(all->s, "\r\n\r\n") : NULL, *length;
    if (!end)
        return false;
    size_t head = (size_t)(end - all->s) + 4, want = 0;
    length = strcasestr(all->s, "content-length:");
    if (length && length < end)
        want = strtoul(length + 15, NULL, 10);
    if (all->len < head + want)
        return false;
    strbuf_add(&r->head, all->s, head);
    strbuf_add(&r->body, all->s + head, want);
    return sscanf(all->s, "HTTP/1.1 %d", &r->status) == 1;
}

reply served_read(int fd)
{
    reply r = {0};
    strbuf all = {0};
    char block[1 << 16];
    err e = {0};
    bool whole = false;
    for (ssize_t k; fd >= 0 && !whole && (k = recv(fd, block, sizeof block, 0)) > 0;) {
        strbuf_add(&all, block, (size_t)k);
        if (strstr(all.s, "HTTP/1.1 100 Continue\r\n\r\n") == all.s)
            memmove(all.s, all.s + 25, all.len - 24), all.len -= 25;
        whole = is_whole(&r, &all);
    }
    strbuf_free(&all);
    if (fd >= 0)
        close(fd);
    r.json = r.body.len ? json_parse(r.body.s, r.body.len, &e) : NULL;
    return r;
}

reply served_raw(const char *bytes, size_t n)
{
    int fd = served_connect();
    if (fd >= 0)
        served_send(fd, bytes, n);
    return served_read(fd);
}

reply served_with(const char *method, const char *path, const char *headers, const char *body,
                  size_t n)
{
    strbuf b = {0};
    strbuf_printf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s", method, path, host,
                  headers);
    if (body)
        strbuf_printf(&b, "Content-Length: %zu\r\n", n);
    strbuf_add(&b, "\r\n", 2);
    if (body)
        strbuf_add(&b, body, n);
    reply r = served_raw(b.s, b.len);
    strbuf_free(&b);
    return r;
}

reply served_ask(const char *method, const char *path, const char *type, const char *body)
{
    char line[128] = "";
    if (type)
        snprintf(line, sizeof line, "Content-Type: %s\r\n", type);
    return served_with(method, path, line, body, body ? strlen(body) : 0);
}

void reply_free(reply *r)
{
    strbuf_free(&r->head), strbuf_free(&r->body);
    json_free(r->json);
    *r = (reply){0};
}

const char *reply_detail(const reply *r)
{
    return json_str(json_get(r->json, "detail"), "");
}
