// SPDX-License-Identifier: GPL-3.0-or-later
// report.c: report.html and curve.svg of a run, written beside and renamed.
#include "train/report.h"

#include "base/file.h"

static bool write_all(const char *run, const char *state, const char *why, arena *a, err *e)
{
    report_record *r = NEW(a, report_record, 1);
    if (!report_read(run, r, a, e))
        return false;
    if (state)
        r->state = state, r->why = why;
    strbuf html = {0}, svg = {0};
    report_page(r, a, &html);
    report_loss_chart(r, true, &svg);
    bool ok = file_write(arena_printf(a, "%s/report.html", run), html.s, html.len, e) &&
              file_write(arena_printf(a, "%s/curve.svg", run), svg.s, svg.len, e);
    strbuf_free(&html);
    strbuf_free(&svg);
    return ok;
}

bool report_write(const char *run, const char *state, const char *why, err *e)
{
    arena a = {.name = "report"};
    bool ok = write_all(run, state, why, &a, e);
    arena_free(&a);
    return ok;
}

bool report_write_to(const char *run, const char *path, err *e)
{
    arena a = {.name = "report"};
    report_record *r = NEW(&a, report_record, 1);
    strbuf html = {0};
    bool ok = report_read(run, r, &a, e);
    if (ok)
        report_page(r, &a, &html);
    ok = ok && file_write(path, html.s, html.len, e);
    strbuf_free(&html);
    arena_free(&a);
    return ok;
}
