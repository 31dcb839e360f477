// SPDX-License-Identifier: GPL-3.0-or-later
// str.c: text that grows, the nearest name, sizes and times as people write them, and paths.
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

enum { NAME_MOST = 96 }; // longer names are not compared

static void strbuf_room(strbuf *b, size_t n)
{
    if (b->s && b->cap - b->len > n)
        return;
    size_t cap = b->cap ? b->cap * 2 : 128;
    while (cap <= b->len + n)
        cap *= 2;
    b->s = base_checked(realloc(b->s, cap), cap);
    b->cap = cap;
}

void strbuf_add(strbuf *b, const char *bytes, size_t n)
{
    strbuf_room(b, n);
    if (n)
        memcpy(b->s + b->len, bytes, n);
    b->len += n;
    b->s[b->len] = 0;
}

char *strbuf_extend(strbuf *b, size_t n)
{
    strbuf_room(b, n);
    b->len += n;
    b->s[b->len] = 0;
    return b->s + b->len - n;
}

void strbuf_printf(strbuf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    CHECK(n >= 0);
    strbuf_room(b, (size_t)n);
    vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
    b->len += (size_t)n;
    va_end(again);
    va_end(ap);
}

// Bytes up to where a line may end. A bracket that is not closed within a line holds nothing
// together.
static size_t word_of(const char *s)
{
    size_t n = 0;
    int depth = 0;
    for (; s[n] && s[n] != '\n' && (depth > 0 ? n <= STR_PAGE / 2 : s[n] != ' '); n++)
        depth += (s[n] == '[') - (s[n] == ']');
    return depth > 0 ? strcspn(s, " \n") : n;
}

void strbuf_wrap(strbuf *b, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t gap = strspn(text, " \n"), word = word_of(text + gap);
        bool ends = memchr(text, '\n', gap) || (at > indent && at + gap + word > STR_PAGE);
        if (ends)
            strbuf_printf(b, "\n%*s", (int)indent, "");
        else
            strbuf_printf(b, "%*s", (int)gap, "");
        strbuf_add(b, text + gap, word);
        at = (ends ? indent : at + gap) + word;
        text += gap + word;
    }
    strbuf_add(b, "\n", 1);
}

void strbuf_free(strbuf *b)
{
    free(b->s);
    *b = (strbuf){0};
}

char *strbuf_keep(strbuf *b, arena *a)
{
    char *text = arena_strdup(a, b->s ? b->s : "");
    strbuf_free(b);
    return text;
}

// Case and the choice of '-' or '_' are no mistakes worth a distance.
static int folded(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

// Optimal string alignment distance (insert, delete, replace, swap of neighbours), by three rows.
static int distance(const char *a, int na, const char *b, int nb)
{
    int rows[3][NAME_MOST + 1];
    for (int j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *before = rows[(i + 1) % 3], *up = rows[(i - 1) % 3], *row = rows[i % 3];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int d = up[j - 1] + (folded(a[i - 1]) != folded(b[j - 1]));
            d = up[j] + 1 < d ? up[j] + 1 : d;
            d = row[j - 1] + 1 < d ? row[j - 1] + 1 : d;
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]) && before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            row[j] = d;
        }
    }
    return rows[na % 3][nb];
}

// Near enough is a third of the length: "bach_size" finds "batch_size", "lr" does not find "r".
const char *str_nearest(const char *name, const char *const *candidates, size_t n)
{
    size_t len = strlen(name);
    if (len > NAME_MOST)
        return NULL;
    const char *best = NULL;
    int least = (int)(len > 3 ? len / 3 : 1) + 1;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(candidates[i]);
        if (other > NAME_MOST)
            continue;
        int d = distance(name, (int)len, candidates[i], (int)other);
        if (d < least && d < (int)other)
            least = d, best = candidates[i];
    }
    return best;
}

void strbuf_quote(strbuf *b, const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+-:=,@%^";
    if (*word && strspn(word, plain) == strlen(word)) {
        strbuf_printf(b, "%s", word);
        return;
    }
    strbuf_add(b, "'", 1);
    for (; *word; word++)
        strbuf_printf(b, *word == '\'' ? "'\\%c'" : "%c", *word);
    strbuf_add(b, "'", 1);
}

char *str_quoted(arena *a, const char *word)
{
    strbuf b = {0};
    strbuf_quote(&b, word);
    return strbuf_keep(&b, a);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool str_ends_any(const char *s, const char *const *endings)
{
    size_t n = strlen(s);
    for (; *endings; endings++)
        if (n >= strlen(*endings) && !strcasecmp(s + n - strlen(*endings), *endings))
            return true;
    return false;
}

bool str_name(const char **names, char out[64])
{
    size_t n = strcspn(*names, "|");
    if (n == 0)
        return false;
    CHECK(n < 64);
    memcpy(out, *names, n);
    out[n] = 0;
    *names += n + ((*names)[n] == '|');
    return true;
}

// Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
bool str_utf8(const char *s, size_t n)
{
    static const struct {
        unsigned char lo, hi, second_lo, second_hi;
        int more;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
        {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
        {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3}};
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n;) {
        size_t f = 0, count = sizeof forms / sizeof *forms;
        while (f < count && (p[i] < forms[f].lo || p[i] > forms[f].hi))
            f++;
        if (f == count || (size_t)forms[f].more >= n - i)
            return false;
        for (int k = 1; k <= forms[f].more; k++) {
            unsigned char c = p[i + (size_t)k];
            if (c < (k == 1 ? forms[f].second_lo : 0x80) ||
                c > (k == 1 ? forms[f].second_hi : 0xbf))
                return false;
        }
        i += (size_t)forms[f].more + 1;
    }
    return true;
}

static bool within(char c) // a character, not at its first byte
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t str_head(const char *s, size_t most)
{
    size_t n = strnlen(s, most);
    while (n > 0 && within(s[n]))
        n--;
    return n;
}

const char *str_tail(const char *s, size_t most)
{
    size_t n = strlen(s);
    const char *tail = s + (n > most ? n - most : 0);
    while (tail > s && within(*tail))
        tail++;
    return tail;
}

// Behind a number: "", "B", or K M G T with "", "B" (decimal then, as disks are sold) or "iB". 0
// for anything else.
static uint64_t unit_of(const char *s)
{
    if (!*s || ((*s == 'b' || *s == 'B') && !s[1]))
        return 1;
    const char *letters = "kmgt", *at = strchr(letters, tolower((unsigned char)*s));
    if (!at || !*at)
        return 0;
    const char *rest = s + 1;
    bool decimal = (rest[0] == 'b' || rest[0] == 'B') && !rest[1];
    bool binary = !*rest || ((rest[0] == 'i' || rest[0] == 'I') &&
                             (!rest[1] || ((rest[1] == 'b' || rest[1] == 'B') && !rest[2])));
    uint64_t unit = 1;
    for (const char *p = letters; p <= at; p++)
        unit *= decimal ? 1000 : 1024;
    return decimal || binary ? unit : 0;
}

// Bytes of the character that s begins with; 0: it is none.
static size_t utf8_length(const char *s, size_t n)
{
    for (size_t k = 1; k <= 4 && k <= n; k++)
        if (str_utf8(s, k))
            return k;
    return 0;
}

const char *str_utf8_escape(arena *a, const char *s)
{
    size_t n = strlen(s);
    if (str_utf8(s, n))
        return s;
    char *out = NEW(a, char, 4 * n + 1), *p = out;
    for (size_t k; n > 0; s += k, n -= k) {
        if ((k = utf8_length(s, n)) > 0)
            p = (char *)memcpy(p, s, k) + k;
        else
            p += sprintf(p, "\\x%02x", (unsigned char)*s), k = 1;
    }
    *p = 0;
    return out;
}

bool str_bytes(const char *s, uint64_t *bytes)
{
    uint64_t whole = 0;
    double part = 0, scale = 0.1;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (whole > (UINT64_MAX - digit) / 10)
            return false;
        whole = whole * 10 + digit;
    }
    if (*s == '.')
        for (s++; isdigit((unsigned char)*s); s++, scale /= 10)
            part += (*s - '0') * scale;
    while (*s == ' ')
        s++;
    uint64_t unit = unit_of(s);
    if (!unit || whole > UINT64_MAX / unit)
        return false;
    uint64_t rest = (uint64_t)(part * (double)unit + 0.5);
    if (whole * unit > UINT64_MAX - rest)
        return false;
    *bytes = whole * unit + rest;
    return true;
}

const char *str_human_bytes(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, 32, "%d B", (int)bytes);
        return out;
    }
    double v = (double)bytes / 1024;
    size_t u = 0;
    for (; v >= 1023.95 && u < 5; u++)
        v /= 1024;
    snprintf(out, 32, "%.1f %s", v, units[u]);
    return out;
}

const char *str_human_time(double seconds, char out[32])
{
    if (!(seconds >= 0 && seconds < 1e12)) {
        snprintf(out, 32, "?");
        return out;
    }
    long long s = (long long)(seconds + 0.5);
    if (seconds < 0.9995)
        snprintf(out, 32, "%.0f ms", seconds * 1000);
    else if (seconds < 9.95)
        snprintf(out, 32, "%.1f s", seconds);
    else if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else if (s < 3600)
        snprintf(out, 32, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(out, 32, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    return out;
}

char *path_join(arena *a, const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0])
        return arena_strdup(a, name);
    return arena_printf(a, str_ends(dir, "/") ? "%s%s" : "%s/%s", dir, name);
}

char *path_dir(arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_strdup(a, ".");
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    char *s = arena_alloc(a, n + 1, 1);
    return memcpy(s, path, n);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_stem(arena *a, const char *path)
{
    char *s = arena_strdup(a, path_base(path));
    char *dot = strrchr(s, '.');
    if (dot && dot != s)
        *dot = 0;
    return s;
}
