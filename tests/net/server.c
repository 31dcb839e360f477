// SPDX-License-Identifier: GPL-3.0-or-later
// server.c: one connection after the other, in a child process (server.h).
#include "tests/net/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

enum { REQUEST = 1 << 18, QUEUE = 8, ROWS = 32 };

static pid_t child;

// Head and body of a request, as far as it comes; the body, or NULL.
static char *read_request(int fd, char *text)
{
    size_t n = 0, want = 0;
    char *body = NULL;
    while (n + 1 < REQUEST && (!body || (size_t)(text + n - body) < want)) {
        ssize_t k = read(fd, text + n, REQUEST - 1 - n);
        if (k <= 0)
            return NULL;
        n += (size_t)k, text[n] = 0;
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end)
            body = end + 4, want = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    }
    return body;
}

static void note(const char *path, const char *text, const char *body)
{
    FILE *f = fopen(path, "a");
    if (!f)
        return;
    fprintf(f, "%.*s %s\n", (int)strcspn(text, "\r\n"), text, body);
    fclose(f);
}

// turn: how often each path was asked, at its first row.
static const recorded *next_answer(const recorded *list, size_t n, const char *text, int *turn)
{
    const recorded *found = NULL;
    const char *path = strchr(text, ' ');
    int *at = NULL, seen = 0;
    for (size_t i = 0; path && i < n; i++) {
        size_t k = strlen(list[i].path);
        if (strncmp(path + 1, list[i].path, k) || path[1 + k] != ' ')
            continue;
        at = at ? at : &turn[i];
        if (seen++ <= *at)
            found = &list[i];
    }
    if (at)
        ++*at;
    return found;
}

static void answer(int fd, const recorded *a)
{
    char head[512];
    const char *body = a ? a->body : "{\"error\": \"not recorded\"}";
    int status = a ? a->status : 404;
    bool moved = status >= 300 && status < 400;
    struct timespec wait = {(time_t)(a ? a->delay : 0),
                            (long)(1e9 * (a ? a->delay - (double)(time_t)a->delay : 0))};
    nanosleep(&wait, NULL);
    size_t n = moved ? 0 : strlen(body);
    int k = snprintf(head, sizeof head,
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s%s%s\r\n",
                     status, n, moved ? "Location: " : "", moved ? body : "", moved ? "\r\n" : "");
    n = a && a->cut ? n / 2 : n;
    if (write(fd, head, (size_t)k) == k && write(fd, body, n) >= 0)
        shutdown(fd, SHUT_WR);
}

static _Noreturn void serve(int listener, const recorded *list, size_t n, const char *log)
{
    static char text[REQUEST];
    int turn[ROWS] = {0};
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        const char *body = fd < 0 ? NULL : read_request(fd, text);
        if (body) {
            note(log, text, body);
            answer(fd, next_answer(list, n, text, turn));
        }
        if (fd >= 0)
            close(fd);
    }
}

const char *server_start(const recorded *list, size_t n)
{
    static char url[64], log[512];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
           listen(listener, QUEUE) == 0 &&
           getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    snprintf(log, sizeof log, "%s", test_path("asked"));
    unlink(log);
    child = fork();
    if (child == 0) {
        test_mortal();
        signal(SIGPIPE, SIG_IGN);
        serve(listener, list, n, log);
    }
    close(listener);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    return url;
}

void server_stop(void)
{
    if (child > 0 && kill(child, SIGKILL) == 0)
        waitpid(child, NULL, 0);
    child = 0;
}

const char *server_asked(void)
{
    static char text[REQUEST];
    FILE *f = fopen(test_path("asked"), "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return text;
}
