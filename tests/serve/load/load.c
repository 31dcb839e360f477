// SPDX-License-Identifier: GPL-3.0-or-later
// load.c: many clients of `kmidi serve` at once, and hostile ones (make check-load).
//
//     load PORT clients N SECONDS RATE METHOD PATH [FILE [TYPE]]
//
// N connections that stay open, each asks and waits for the answer; RATE requests a second together
// (0: the next as soon as the last is answered). One line of JSON: how many, how many failed, and
// how long they took from the moment at which they were due.
//
//     load PORT pieces N METHOD PATH FILE
//
// N requests of 4 clients, each the next as soon as it has the last.
//
//     load PORT hostile N SEED
//
// N requests of the kinds of hostile.c, from 16 threads.
#include "tests/serve/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/proc.h"
#include "base/str.h"

enum { ROOM = 1 << 16 };

typedef struct client {
    int fd;
    bool waits;       // for an answer
    double due;       // of the request under way, or of the next
    size_t sent, got; // bytes
    char head[ROOM];
} client;

typedef struct load {
    int n;
    double seconds, every; // between two requests of a client; 0: none
    strbuf request;
    client *clients;
    float *took; // milliseconds
    size_t begun, done, failed, room;
    size_t most; // requests; 0: as many as fit into the time
} load;

int load_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int join(int port)
{
    int fd = load_connect(port);
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void prepare(load *l, const char *method, const char *path, const char *file,
                    const char *type)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    const char *body = file ? file_read(&a, file, 1 << 26, &n, &e) : "";
    if (!body)
        exit(fprintf(stderr, "%s\n", e.text));
    strbuf_printf(&l->request, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path);
    if (file)
        strbuf_printf(&l->request, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, n);
    strbuf_printf(&l->request, "\r\n");
    strbuf_add(&l->request, body, n);
    arena_free(&a);
}

static void end_request(load *l, client *c, bool ok)
{
    double now = hw_seconds();
    if (ok && l->done < l->room)
        l->took[l->done++] = (float)(1000 * (now - c->due));
    l->failed += !ok;
    c->waits = false, c->sent = c->got = 0;
    c->due = l->every > 0 ? c->due + l->every : now;
}

// The whole answer is here, and it is a good one. -1: it is none.
static int is_answered(client *c)
{
    c->head[c->got] = 0;
    const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "content-length:");
    if (!end || !length || length > end)
        return 0;
    if ((size_t)(end - c->head) + 4 + strtoul(length + 15, NULL, 10) > c->got)
        return 0;
    return strncmp(c->head, "HTTP/1.1 200", 12) ? -1 : 1;
}

static void move(load *l, client *c, short events)
{
    if (events & POLLOUT && c->sent < l->request.len) {
        ssize_t k = proc_send(c->fd, l->request.s + c->sent, l->request.len - c->sent);
        c->sent += k > 0 ? (size_t)k : 0;
    }
    if (!(events & (POLLIN | POLLHUP | POLLERR)))
        return;
    ssize_t k = recv(c->fd, c->head + c->got, ROOM - 1 - c->got, MSG_DONTWAIT);
    if (k < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->got += k > 0 ? (size_t)k : 0;
    int answered = k > 0 ? is_answered(c) : -1;
    if (answered)
        end_request(l, c, answered > 0);
    if (k <= 0)
        close(c->fd), c->fd = -1;
}

static double turn(load *l, struct pollfd *polled, int port, double now)
{
    double next = now + 0.1;
    for (int i = 0; i < l->n; i++) {
        client *c = &l->clients[i];
        if (c->fd < 0)
            c->fd = join(port);
        if (!c->waits && c->due <= now && (!l->most || l->begun < l->most))
            c->waits = true, l->begun++;
        next = !c->waits && c->due < next ? c->due : next;
        short want = c->waits ? POLLIN : 0;
        if (c->waits && c->sent < l->request.len)
            want |= POLLOUT;
        polled[i] = (struct pollfd){.fd = c->fd, .events = want};
    }
    return next > now ? next - now : 0;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void tell(load *l, double seconds)
{
    size_t n = l->done;
    qsort(l->took, n, sizeof *l->took, by_size);
    printf("{\"clients\": %d, \"answered\": %zu, \"failed\": %zu, \"a_second\": %.0f, \"p50_ms\": "
           "%.2f, \"p90_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
           l->n, n, l->failed, (double)n / seconds, n ? (double)l->took[n / 2] : 0,
           n ? (double)l->took[n * 9 / 10] : 0, n ? (double)l->took[n * 99 / 100] : 0,
           n ? (double)l->took[n - 1] : 0);
}

static int run(load *l, int port)
{
    struct pollfd *polled = calloc((size_t)l->n, sizeof *polled);
    l->clients = calloc((size_t)l->n, sizeof *l->clients);
    l->room = 50000000, l->took = malloc(l->room * sizeof *l->took);
    double since = hw_seconds();
    for (int i = 0; i < l->n; i++)
        l->clients[i].fd = join(port), l->clients[i].due = since + l->every * i / l->n;
    for (double now = since;
         now - since < l->seconds && (!l->most || l->done + l->failed < l->most);
         now = hw_seconds()) {
        double wait = turn(l, polled, port, now);
        if (poll(polled, (nfds_t)l->n, (int)(wait * 1000 + 0.5)) <= 0)
            continue;
        for (int i = 0; i < l->n; i++)
            if (polled[i].revents)
                move(l, &l->clients[i], polled[i].revents);
    }
    tell(l, hw_seconds() - since);
    return l->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    load l = {0};
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 5 && !strcmp(argv[2], "hostile"))
        return load_hostile(atoi(argv[1]), atoi(argv[3]), strtoull(argv[4], NULL, 10));
    if (argc >= 7 && !strcmp(argv[2], "pieces")) {
        l.n = 4, l.seconds = 1e6, l.most = strtoull(argv[3], NULL, 10);
        prepare(&l, argv[4], argv[5], argv[6], "application/json");
        return run(&l, atoi(argv[1]));
    }
    if (argc < 8)
        return fprintf(stderr, "load PORT clients N SECONDS RATE METHOD PATH [FILE [TYPE]]\n"), 2;
    l.n = atoi(argv[3]), l.seconds = atof(argv[4]);
    l.every = atof(argv[5]) > 0 ? l.n / atof(argv[5]) : 0;
    prepare(&l, argv[6], argv[7], argc > 8 ? argv[8] : NULL,
            argc > 9 ? argv[9] : "application/json");
    return run(&l, atoi(argv[1]));
}
