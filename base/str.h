// SPDX-License-Identifier: GPL-3.0-or-later
// str.h: text that grows, the nearest name, and paths.
#ifndef KMIDI_BASE_STR_H
#define KMIDI_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct strbuf {
    char *s; // always terminated once something was added; NULL before
    size_t len, cap;
} strbuf;

void strbuf_add(strbuf *b, const char *bytes, size_t n);
char *strbuf_extend(strbuf *b, size_t n); // n more bytes, for the caller to fill
void strbuf_printf(strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The words of a text in lines of at most STR_PAGE columns, and the end of the last; the first line
// goes on at column `at`, the others begin behind `indent` blanks. Line breaks in the text stay;
// nothing is broken within [...].
enum { STR_PAGE = 100 };
void strbuf_wrap(strbuf *b, const char *text, size_t at, size_t indent);
void strbuf_free(strbuf *b);
// Its text in the arena, "" where nothing was added; what it had is freed.
char *strbuf_keep(strbuf *b, arena *a);

// The candidate nearest to `name` by edit distance (transpositions count one), or NULL when none is
// near enough to suggest.
const char *str_nearest(const char *name, const char *const *candidates, size_t n);
// `word` as one word of a shell's command line: as it is where that is plain, else in single
// quotes.
void strbuf_quote(strbuf *b, const char *word);
char *str_quoted(arena *a, const char *word); // the same as a text of its own
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
// one of the list, which NULL ends; upper or lower case
bool str_ends_any(const char *s, const char *const *endings);
// The next of the names "a|b|c", each shorter than 64, into `out`; moves *names behind it. False
// behind the last.
bool str_name(const char **names, char out[64]);
// s[0..n) is well-formed UTF-8.
bool str_utf8(const char *s, size_t n);
// How many bytes of s make its first `most` at most, and its last, without a character that is cut.
size_t str_head(const char *s, size_t most);
const char *str_tail(const char *s, size_t most);
// Itself where it is UTF-8; else each byte that is none becomes \xNN, as Python's backslashreplace
// has it.
const char *str_utf8_escape(arena *a, const char *s);
// "6GiB", "512 MiB", "1.5GB", "1048576" -> bytes; false when it is none of them.
bool str_bytes(const char *s, uint64_t *bytes);
// 1536 -> "1.5 KiB". `out` holds at least 32.
const char *str_human_bytes(uint64_t bytes, char out[32]);
const char *str_human_time(double seconds, char out[32]); // "3 min 20 s"

char *path_join(arena *a, const char *dir, const char *name); // `name` itself when it is absolute
char *path_dir(arena *a, const char *path);                   // "." when there is none
const char *path_base(const char *path);                      // points into `path`
// base name without its last extension
char *path_stem(arena *a, const char *path);

#endif
