// SPDX-License-Identifier: GPL-3.0-or-later
// gate.c: a socket that listens (gate.h).
#include "serve/http/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 511, NAME = 64 };

typedef union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} address;

static bool no_address(const char *text, err *e)
{
    return err_set(e, ERR_USAGE,
                   "'%.80s' is no address to listen at; write HOST:PORT, as 127.0.0.1:8000, "
                   "[::1]:8000 or 0.0.0.0:8000, the host in numbers and the port from 0 to 65535",
                   text);
}

// "[::1]:80", "h:80", "80": the host without brackets ("" where there is none), the port or -1.
static int split(const char *text, char host[NAME])
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool bracket = n > 1 && text[0] == '[' && text[n - 1] == ']';
    snprintf(host, NAME, "%.*s", (int)(bracket ? n - 2 : n), text + bracket);
    char *end;
    long value = strtol(port, &end, 10);
    return *port >= '0' && *port <= '9' && !*end && value <= 65535 && n < NAME ? (int)value : -1;
}

static bool read_address(const char *text, address *a, socklen_t *size, err *e)
{
    char host[NAME];
    int port = split(text, host);
    const char *name = !*host || !strcasecmp(host, "localhost") ? "127.0.0.1" : host;
    memset(a, 0, sizeof *a);
    if (port < 0)
        return no_address(text, e);
    if (inet_pton(AF_INET, name, &a->four.sin_addr) == 1) {
        a->four.sin_family = AF_INET, a->four.sin_port = htons((uint16_t)port);
        *size = sizeof a->four;
        return true;
    }
    if (inet_pton(AF_INET6, name, &a->six.sin6_addr) == 1) {
        a->six.sin6_family = AF_INET6, a->six.sin6_port = htons((uint16_t)port);
        *size = sizeof a->six;
        return true;
    }
    return no_address(text, e);
}

static bool is_loopback(const address *a)
{
    return a->any.sa_family == AF_INET ? ntohl(a->four.sin_addr.s_addr) >> 24 == 127
                                       : IN6_IS_ADDR_LOOPBACK(&a->six.sin6_addr);
}

// What came of it, with the port that was chosen.
static void describe(gate *g, const address *asked)
{
    address a = *asked;
    socklen_t size = sizeof a;
    char host[NAME] = "";
    bool six = a.any.sa_family == AF_INET6;
    getsockname(g->fd, &a.any, &size);
    inet_ntop(a.any.sa_family, six ? (void *)&a.six.sin6_addr : (void *)&a.four.sin_addr, host,
              sizeof host);
    g->loopback = is_loopback(&a);
    snprintf(g->url, sizeof g->url, six ? "http://[%s]:%d" : "http://%s:%d", host,
             ntohs(six ? a.six.sin6_port : a.four.sin_port));
}

static bool refused(const char *text, err *e)
{
    if (errno == EADDRINUSE)
        return err_set(e, ERR_IO,
                       "'%s' is in use by another program; end that, or listen elsewhere "
                       "(--listen 127.0.0.1:0 takes a free port)",
                       text);
    if (errno == EADDRNOTAVAIL)
        return err_set(e, ERR_IO, "'%s' is no address of this machine; listen at 127.0.0.1", text);
    if (errno == EACCES)
        return err_set(e, ERR_IO, "the port of '%s' is not for this user; take one above 1023",
                       text);
    return err_errno(e, "cannot listen at '%s'", text);
}

bool gate_open(gate *g, const char *listen_at, err *e)
{
    address a;
    socklen_t size = 0;
    int on = 1;
    *g = (gate){.fd = -1};
    if (!read_address(listen_at, &a, &size, e))
        return false;
    g->fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    if (g->fd < 0)
        return refused(listen_at, e);
    fcntl(g->fd, F_SETFD, FD_CLOEXEC);
    fcntl(g->fd, F_SETFL, O_NONBLOCK);
    setsockopt(g->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(g->fd, &a.any, size) || listen(g->fd, BACKLOG)) {
        refused(listen_at, e);
        gate_close(g);
        return false;
    }
    describe(g, &a);
    return true;
}

void gate_close(gate *g)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
}

bool gate_knows(const char *host, const char *const *names)
{
    char name[256];
    struct in6_addr any;
    size_t n = strlen(host);
    const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
    if (colon && (!bracket || colon > bracket))
        n = (size_t)(colon - host);
    if (n == 0 || n >= sizeof name)
        return false;
    bool six = host[0] == '[' && host[n - 1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(six ? n - 2 : n), host + six);
    if (six)
        return inet_pton(AF_INET6, name, &any) == 1;
    if (!strcasecmp(name, "localhost") || inet_pton(AF_INET, name, &any) == 1)
        return true;
    for (int i = 0; names && names[i]; i++)
        if (!strcasecmp(name, names[i]))
            return true;
    return false;
}
