// SPDX-License-Identifier: GPL-3.0-or-later
// machine.c: where such files lie, and what makes a measurement one to trust (machine.h).
#include "train/machine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"

enum { FILE_MOST = 1 << 20 };
static const double OLDEST_SECONDS = 90.0 * 86400, BUSY = 0.5;

const char *machine_file(const char *name, const char *key, arena *a)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char hex[65];
    bool own = cache && *cache == '/';
    if (!own && (!home || *home != '/'))
        return NULL;
    digest_of(key, strlen(key), hex);
    const char *dir = own ? cache : arena_printf(a, "%s/.cache", home);
    return arena_printf(a, "%s/kmidi/%s-%.16s.json", dir, name, hex);
}

json *machine_read(const char *path, arena *a)
{
    size_t n;
    char *text = path ? file_read(a, path, FILE_MOST, &n, NULL) : NULL;
    json *j = text ? json_parse(text, n, NULL) : NULL;
    if (json_type(j) == JSON_OBJECT)
        return j;
    json_free(j);
    return NULL;
}

void machine_keep(const char *path, const json *file, arena *a)
{
    strbuf text = {0};
    json_dump(file, 2, &text);
    if (path && file_make_dirs(path_dir(a, path), NULL))
        (void)!file_write(path, text.s, text.len, NULL);
    strbuf_free(&text);
}

void machine_stamp(json *object)
{
    json_set_int(object, "measured_at", (int64_t)time(NULL));
    json_set_num(object, "load", hw_load());
}

bool machine_stands(const json *object)
{
    double age = (double)time(NULL) - json_num(json_get(object, "measured_at"), 0),
           load = json_num(json_get(object, "load"), 1e9);
    return age >= -86400 && age < OLDEST_SECONDS && (load <= BUSY || hw_load() > load / 2);
}
