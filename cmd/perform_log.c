// SPDX-License-Identifier: GPL-3.0-or-later
// perform_log.c: rows, alerts, the report (perform_log.h). Columns and limits are those of KmiDi's
// dual runner.
#include "cmd/perform_log.h"

#include <errno.h>
#include <math.h>

#include "base/file.h"

#define FPS_LEAST   (55.0 / 60) // of the frames that are wanted
#define MEMORY_MOST 0.9

bool perform_log_open(perform_log *l, err *e)
{
    if (!l->path)
        return true;
    l->file = fopen(l->path, "we");
    if (!l->file)
        return file_unwritten(l->path, e);
    fprintf(l->file, "seconds,fps,frame_time_ms,memory_usage_gb,token_generation_rate\n");
    fflush(l->file);
    return true;
}

// Said when it begins, not again while it lasts.
static void alert(perform_log *l, const meter_second *s)
{
    double least = FPS_LEAST * l->fps;
    bool slow = s->fps < least;
    bool full = s->memory_share > MEMORY_MOST;
    if (slow && !l->slow)
        cmd_say(l->c, "second %.0f: %.1f frames, below %.0f (99%% of them took up to %.1f ms)",
                s->at, s->fps, least, s->p99_ms);
    if (full && !l->full)
        cmd_say(l->c, "second %.0f: %.0f%% of the memory is in use, above %.0f%%", s->at,
                100 * s->memory_share, 100 * MEMORY_MOST);
    l->slow = slow, l->full = full;
}

void perform_log_second(perform_log *l, perform *p, double seconds)
{
    meter_second s;
    if (!meter_take_second(perform_meter(p), seconds, (double)perform_composed(p).tokens, &s))
        return;
    if (l->file) {
        fprintf(l->file, "%.2f,%.2f,%.3f,%.4f,%.2f\n", s.at, s.fps, s.frame_ms, s.memory_gb,
                s.tokens);
        fflush(l->file);
    }
    if (l->alerts)
        alert(l, &s);
}

bool perform_log_close(perform_log *l, err *e)
{
    if (!l->file)
        return true;
    bool ok = !ferror(l->file);
    ok = fclose(l->file) == 0 && ok;
    l->file = NULL;
    return ok || file_unwritten(l->path, e);
}

void perform_log_abandon(perform_log *l)
{
    if (l->file)
        fclose(l->file);
    l->file = NULL;
}

// ---- The whole

static json *times_json(const meter_times *t, double budget)
{
    json *j = json_object();
    json_set_num(j, "mean_ms", t->mean);
    json_set_num(j, "p50_ms", t->p50);
    json_set_num(j, "p99_ms", t->p99);
    json_set_num(j, "max_ms", t->most);
    json_set_num(j, "budget_ms", budget);
    json_set_num(j, "over_budget", t->over);
    return j;
}

static void set_text(json *j, const char *key, const char *text)
{
    if (text)
        json_set_str(j, key, text);
}

static json *report_json(const perform_log *l, perform *p, const perform_outcome *o)
{
    json *j = json_object(), *parts = json_object();
    meter_sum s = meter_all(perform_meter(p), 1000.0 / l->fps);
    composer_counts k = perform_composed(p);
    json_set_num(j, "seconds", o->seconds);
    json_set_str(j, "strategy", o->strategy);
    json_set_str(j, "music", o->music);
    set_text(j, "pictures", o->pictures);
    json_set_num(j, "fps", s.fps);
    json_set_int(j, "frames", s.frames);
    json_set(j, "frame", times_json(&s.whole, 1000.0 / l->fps));
    json_set_int(j, "new_clouds", s.fresh);
    json_set_int(j, "late", s.late);
    json_set_int(j, "skipped", s.skipped);
    for (int i = 0; i < METER_PARTS; i++)
        json_set(parts, meter_budgets[i].name, times_json(&s.part[i], meter_budgets[i].ms));
    json_set(j, "parts", parts);
    json_set_int(j, "tokens", k.tokens);
    json_set_num(j, "tokens_per_s", o->seconds > 0 ? (double)k.tokens / o->seconds : 0);
    json_set_num(j, "token_ms", k.tokens ? 1e3 * k.seconds / (double)k.tokens : 0);
    json_set_int(j, "starved", k.starved);
    json_set_int(j, "notes", (int64_t)o->notes);
    set_text(j, "midi", o->midi), set_text(j, "wav", o->wav), set_text(j, "played_by", o->by);
    set_text(j, "svg", o->svg), set_text(j, "port", o->port), set_text(j, "film", o->film);
    if (o->film)
        json_set_int(j, "film_frames", o->film_frames);
    set_text(j, "log", l->path);
    json_set_bool(j, "realtime", perform_is_realtime(p));
    return j;
}

static void print_part(cmd *c, const char *name, const meter_times *t, double budget)
{
    if (t->n)
        cmd_print(c, "  %-12s %8.2f %8.2f %8.2f %8.2f   %7.2f  %5.1f%%", name, t->mean, t->p50,
                  t->p99, t->most, budget, 100 * t->over);
}

void perform_report(const perform_log *l, perform *p, const perform_outcome *o)
{
    cmd *c = l->c;
    meter_sum s = meter_all(perform_meter(p), 1000.0 / l->fps);
    composer_counts k = perform_composed(p);
    cmd_json(c, report_json(l, p, o));
    cmd_print(c, "%.1f s, %zu notes by %s%s%s", o->seconds, o->notes, o->music,
              o->pictures ? ", clouds by " : "", o->pictures ? o->pictures : "");
    cmd_print(c,
              "%.1f frames a second (%s%s): %lld frames, %lld of them with a new cloud, %lld late, "
              "%lld left out",
              s.fps, o->strategy, perform_is_realtime(p) ? ", real-time" : "", s.frames, s.fresh,
              s.late, s.skipped);
    cmd_print(c, "  ms               mean      p50      p99     most    budget   over");
    print_part(c, "frame", &s.whole, 1000.0 / l->fps);
    for (int i = 0; i < METER_PARTS; i++)
        print_part(c, meter_budgets[i].name, &s.part[i], meter_budgets[i].ms);
    if (k.tokens)
        cmd_print(c, "%lld tokens, %.1f a second, %.2f ms each; too late %lld times", k.tokens,
                  (double)k.tokens / fmax(o->seconds, 1e-3), 1e3 * k.seconds / (double)k.tokens,
                  k.starved);
    if (o->midi)
        cmd_print(c, "%s", o->midi);
    if (o->wav)
        cmd_print(c, "%s: played by %s", o->wav, o->by);
    if (o->film)
        cmd_print(c, "%s: %lld frames", o->film, (long long)o->film_frames);
}
