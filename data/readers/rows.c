// SPDX-License-Identifier: GPL-3.0-or-later
// rows.c: csv, JSON lines and JSON as one kind of table (rows.h).
#include "data/readers/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/readers/attributes.h"
#include "data/readers/csv.h"
#include "data/readers/lines.h"

enum { SHOWN = 20 }; // columns in a message

struct rows {
    arena memory, fields; // until the end; of the row
    const char *path;
    csv *csv;
    const char **column; // [columns] of the csv
    const char **field;  // [columns] of the row where `spaced`
    size_t columns;
    // spaces around the names of columns: then they are none of the fields either
    bool spaced;
    lines *lines;      // jsonl
    json *all;         // json: the list, or the object of columns
    const json *first; // object of columns: the one that says which rows there are
    void *at;          // the row in it
    json *row;         // jsonl: ours
    const json *record;
    int64_t number; // of the row
};

// ---- Opening

static bool csv_has(const rows *r, const char *names)
{
    char name[64];
    while (str_name(&names, name))
        for (size_t i = 0; i < r->columns; i++)
            if (!strcmp(r->column[i], name))
                return true;
    return false;
}

static bool object_has(const rows *r, const char *names)
{
    char name[64];
    while (str_name(&names, name))
        if (json_type(json_get(r->all, name)) == JSON_OBJECT)
            return true;
    return false;
}

// "'path', 'label'"
static const char *all_columns(const rows *r, arena *a)
{
    const char *all = "";
    if (r->csv)
        for (size_t i = 0; i < r->columns && i < SHOWN; i++)
            all = arena_printf(a, "%s%s'%.40s'", all, i ? ", " : "", r->column[i]);
    for (void *it = r->all ? json_first(r->all) : NULL; it && strlen(all) < SHOWN * 40;
         it = json_next(r->all, it))
        all = arena_printf(a, "%s%s'%.40s'", all, *all ? ", " : "", json_key(it));
    return *all ? all : "none";
}

static bool check_columns(rows *r, const char *const *columns,
                          bool (*has)(const rows *, const char *), err *e)
{
    for (; *columns; columns++)
        if (!has(r, *columns))
            return err_set(e, ERR_FORMAT,
                           "the index '%s' has no column '%s'; it has %s; check `root` and `index`",
                           r->path, *columns, all_columns(r, &r->memory));
    return true;
}

static const char *trimmed(arena *a, const char *s)
{
    static const char space[] = " \t";
    s += strspn(s, space);
    char *copy = arena_strdup(a, s);
    for (size_t n = strlen(copy); n > 0 && strchr(space, copy[n - 1]); n--)
        copy[n - 1] = 0;
    return copy;
}

static bool open_csv(rows *r, const char *const *columns, err *e)
{
    r->csv = csv_open(r->path, e);
    if (!r->csv)
        return false;
    pull step = csv_next(r->csv, e);
    if (step == PULL_END && e->code == ERR_NONE)
        err_set(e, ERR_EMPTY, "there is no row with the names of the columns");
    if (step != PULL_ONE)
        return err_trail(e, "'%s' line %" PRId64, r->path, csv_line(r->csv));
    r->columns = csv_fields(r->csv);
    r->column = NEW(&r->memory, const char *, r->columns);
    r->field = NEW(&r->memory, const char *, r->columns);
    for (size_t i = 0; i < r->columns; i++) {
        r->column[i] = trimmed(&r->memory, csv_field(r->csv, i));
        r->spaced |= strcmp(r->column[i], csv_field(r->csv, i)) != 0;
    }
    return check_columns(r, columns, csv_has, e);
}

static bool open_lines(rows *r, const char *const *columns, err *e)
{
    (void)columns; // each line tells its own
    r->lines = lines_open(r->path, e);
    return r->lines != NULL;
}

static const json *first_column(const rows *r, const char *names)
{
    char name[64];
    const json *column = NULL;
    while (json_type(column) != JSON_OBJECT && str_name(&names, name))
        column = json_get(r->all, name);
    return column;
}

static bool open_json(rows *r, const char *const *columns, err *e)
{
    arena a = {.name = "index"};
    size_t n;
    const char *text = file_read(&a, r->path, ROWS_JSON_BYTES, &n, e);
    bool bom = text && n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    r->all = text ? json_parse(text + 3 * bom, n - 3 * bom, e) : NULL;
    if (text && !r->all)
        err_trail(e, "the index '%s'", r->path);
    arena_free(&a);
    if (!r->all || json_type(r->all) == JSON_ARRAY)
        return r->all != NULL;
    if (json_type(r->all) != JSON_OBJECT)
        return err_set(e, ERR_FORMAT,
                       "the index '%s' is neither a list of objects nor an object of columns",
                       r->path);
    if (!check_columns(r, columns, object_has, e))
        return false;
    r->first = first_column(r, columns[0]);
    return true;
}

static const struct {
    const char *ending;
    bool (*open)(rows *, const char *const *, err *);
} kinds[] = {{".csv", open_csv}, {".jsonl", open_lines}, {".json", open_json}};

rows *rows_open(const char *path, const char *const *columns, err *e)
{
    rows *r = base_checked(calloc(1, sizeof *r), sizeof *r);
    r->memory.name = "index";
    r->path = arena_strdup(&r->memory, path);
    CHECK(columns[0]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!str_ends(path, kinds[i].ending))
            continue;
        if (kinds[i].open(r, columns, e))
            return r;
        rows_close(r);
        return NULL;
    }
    err_set(e, ERR_CONFIG, "the index '%s' ends with none of .csv, .jsonl, .json; check `index`",
            path);
    rows_close(r);
    return NULL;
}

// ---- Rows

static pull next_csv(rows *r, err *e)
{
    pull step = csv_next(r->csv, e);
    r->number = csv_line(r->csv);
    arena_reset(&r->fields);
    for (size_t i = 0; r->spaced && step == PULL_ONE && i < csv_fields(r->csv) && i < r->columns;
         i++)
        r->field[i] = trimmed(&r->fields, csv_field(r->csv, i));
    if (step != PULL_ONE || csv_fields(r->csv) <= r->columns)
        return step == PULL_END ? PULL_END : step == PULL_ONE ? PULL_ONE : PULL_BAD;
    err_set(e, ERR_FORMAT,
            "the row has %zu fields, but there are %zu columns; is a comma not quoted?",
            csv_fields(r->csv), r->columns);
    return PULL_BAD;
}

static pull next_line(rows *r, err *e)
{
    char *text;
    size_t n;
    pull step;
    do
        step = lines_next(r->lines, &text, &n, e);
    while (step == PULL_ONE && n == strspn(text, " \t"));
    r->number = lines_number(r->lines);
    if (step != PULL_ONE)
        return step == PULL_END ? PULL_END : PULL_BAD;
    r->record = r->row = json_parse(text, n, e);
    return r->row ? PULL_ONE : PULL_BAD;
}

static pull next_record(rows *r)
{
    if ((size_t)r->number == json_len(r->all))
        return PULL_END;
    r->record = json_at(r->all, (size_t)r->number++);
    return PULL_ONE;
}

static pull next_key(rows *r)
{
    r->at = r->number++ ? json_next(r->first, r->at) : json_first(r->first);
    return r->at ? PULL_ONE : PULL_END;
}

pull rows_next(rows *r, err *e)
{
    e->code = ERR_NONE;
    json_free(r->row);
    r->row = NULL;
    pull step = r->csv     ? next_csv(r, e)
                : r->lines ? next_line(r, e)
                : r->first ? next_key(r)
                           : next_record(r);
    if (step == PULL_ONE && !r->csv && !r->first && json_type(r->record) != JSON_OBJECT) {
        err_set(e, ERR_FORMAT, "the entry is not a JSON object");
        return PULL_BAD;
    }
    return step;
}

int64_t rows_line(const rows *r)
{
    return r->number;
}

const char *rows_where(const rows *r, arena *a)
{
    return arena_printf(a, "'%s' %s %" PRId64, r->path, r->all ? "entry" : "line", r->number);
}

void rows_close(rows *r)
{
    if (!r)
        return;
    csv_close(r->csv);
    lines_close(r->lines);
    json_free(r->row);
    json_free(r->all);
    arena_free(&r->fields);
    arena_free(&r->memory);
    free(r);
}

// ---- Fields

static const char *field_at(const rows *r, size_t i)
{
    return r->spaced ? r->field[i] : csv_field(r->csv, i);
}

static const char *csv_value(const rows *r, const char *name)
{
    for (size_t i = 0; i < r->columns && i < csv_fields(r->csv); i++)
        if (!strcmp(r->column[i], name))
            return field_at(r, i);
    return NULL;
}

static const json *json_field(const rows *r, const char *name)
{
    return r->first ? json_get(json_get(r->all, name), json_key(r->at)) : json_get(r->record, name);
}

static bool has_field(const void *row, const char *name)
{
    const rows *r = row;
    const char *text = r->csv ? csv_value(r, name) : NULL;
    json_kind kind = r->csv ? JSON_NONE : json_type(json_field(r, name));
    return r->csv ? text && *text : kind != JSON_NONE && kind != JSON_NULL;
}

static bool json_text(arena *a, const json *v, const char *name, const char **out, err *e)
{
    if (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL)
        return true;
    *out = json_str(v, NULL);
    if (json_type(v) == JSON_NUMBER && json_num(v, 0) == floor(json_num(v, 0)) &&
        fabs(json_num(v, 0)) < 1e15)
        *out = arena_printf(a, "%" PRId64, json_int(v, 0)); // "song_id": 3
    return *out != NULL || err_set(e, ERR_VALUE, "'%s' must be a text", name);
}

bool rows_text(const rows *r, arena *a, const char *names, const char **out, err *e)
{
    char name[64];
    *out = NULL;
    while (str_name(&names, name)) {
        if (r->csv)
            *out = csv_value(r, name);
        else if (!json_text(a, json_field(r, name), name, out, e))
            return false;
        if (!*out || !**out) {
            *out = NULL;
            continue;
        }
        if (strlen(*out) > ROWS_TEXT)
            return err_set(e, ERR_VALUE, "'%s' is longer than %d bytes", name, ROWS_TEXT);
        *out = arena_strdup(a, *out);
        return true;
    }
    return true;
}

bool rows_need(const rows *r, arena *a, const char *names, const char **out, err *e)
{
    return rows_text(r, a, names, out, e) &&
           (*out || err_set(e, ERR_VALUE, "there is no '%s'", names));
}

bool rows_num(const rows *r, const char *names, double least, double most, double *out, err *e)
{
    char name[64];
    while (str_name(&names, name)) {
        const char *text = r->csv ? csv_value(r, name) : json_str(json_field(r, name), NULL);
        const json *v = r->csv ? NULL : json_field(r, name);
        if (!text && (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL))
            continue;
        if (text && !*text)
            continue;
        char *end = NULL;
        double x = text ? strtod(text, &end) : json_num(v, NAN);
        if ((text && *end) || !(x >= least && x <= most))
            return err_set(e, ERR_VALUE, "'%s' must be a number from %g to %g", name, least, most);
        *out = x;
        return true;
    }
    return true;
}

static json *csv_attributes(const rows *r, const char *const *taken)
{
    json *o = json_object();
    for (size_t i = 0; i < r->columns && i < csv_fields(r->csv); i++) {
        const char *x = field_at(r, i);
        if (*x && str_utf8(x, strlen(x)) && str_utf8(r->column[i], strlen(r->column[i])) &&
            !attributes_taken(taken, r->column[i], has_field, r))
            json_set_str(o, r->column[i], x);
    }
    return o;
}

// Of an object of columns.
static json *column_attributes(const rows *r, const char *const *taken)
{
    json *o = json_object();
    for (void *it = json_first(r->all); it; it = json_next(r->all, it))
        if (has_field(r, json_key(it)) && !attributes_taken(taken, json_key(it), has_field, r))
            json_set(o, json_key(it), json_clone(json_field(r, json_key(it))));
    return o;
}

const char *rows_attributes(const rows *r, arena *a, const char *const *taken)
{
    if (!r->csv && !r->first)
        return attributes_of(a, r->record, taken);
    return attributes_text(a, r->csv ? csv_attributes(r, taken) : column_attributes(r, taken));
}

bool rows_bool(const rows *r, const char *name, bool *out, err *e)
{
    const json *v = r->csv ? NULL : json_field(r, name);
    const char *text = r->csv ? csv_value(r, name) : json_str(v, NULL);
    bool yes = text && (!strcmp(text, "true") || !strcmp(text, "1")),
         no = text && (!strcmp(text, "false") || !strcmp(text, "0"));
    if (yes || no || json_type(v) == JSON_BOOL)
        *out = text ? yes : json_bool(v, false);
    else if ((text && *text) || (!text && json_type(v) != JSON_NONE && json_type(v) != JSON_NULL))
        return err_set(e, ERR_VALUE, "'%s' must be true or false", name);
    return true;
}
