// SPDX-License-Identifier: GPL-3.0-or-later
// roll.c: lanes, then what lies in them (roll.h). Notes of one colour and loudness are one path of
// horizontal strokes, about 15 bytes each, so that half an hour of piano is some hundred kilobytes.
#include "data/music/roll.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/svg.h"
#include "data/music/bars.h"

// Margins, and the heights of lanes, in units of the picture.
enum { LEFT = 64, RIGHT = 16, TOP = 62, ROW = 6, GAP = 14, PEDAL = 8 };
enum { LEAST_WIDTH = 720, PER_SECOND = 40, LOUDNESS = 8, COLOURS = 10 };
enum { OCTAVE = 12, LEAST_ROWS = 24, FAMILY = 8 };

// Colour-blind safe, after Wong (Nature Methods 8, 2011) and ColorBrewer's Dark2; the last is for
// all further instruments.
static const char *const colours[COLOURS] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7570b3",
                                             "#b8860b", "#56b4e9", "#a6761d", "#e7298a", "#666666"};
// General MIDI has eight programs of each.
static const char *const families[16] = {
    "piano", "mallets", "organ", "guitar",    "bass",     "strings", "ensemble",   "brass",
    "reed",  "pipe",    "lead",  "synth pad", "synth fx", "ethnic",  "percussive", "effects"};

typedef struct roll {
    arena memory;
    const midi_song *s;
    strbuf *out;
    double scale; // units a second
    int width, low, rows, drum_top, bottom;
    int drum_row[128], drums; // from the top; -1: not played
    int *colour;              // [n_instruments]; -1: drums
    int used;                 // colours
    bool pedal;
} roll;

static double at_x(const roll *r, double seconds)
{
    return LEFT + seconds * r->scale;
}

static double at_y(const roll *r, int pitch)
{
    return TOP + ROW * (r->low + r->rows - 1 - pitch);
}

// ---- Lanes

// The same program on the same channel has the same colour, in whatever track.
static void choose_colours(roll *r)
{
    const midi_song *s = r->s;
    r->colour = NEW(&r->memory, int, s->n_instruments + 1);
    for (size_t i = 0; i < s->n_instruments; i++) {
        const midi_instrument *x = &s->instruments[i];
        size_t k = 0;
        while (k < i &&
               (s->instruments[k].program != x->program || s->instruments[k].channel != x->channel))
            k++;
        r->colour[i] = x->is_drum              ? -1
                       : k < i                 ? r->colour[k]
                       : r->used < COLOURS - 1 ? r->used++
                                               : COLOURS - 1;
    }
}

static void choose_rows(roll *r)
{
    const midi_song *s = r->s;
    int low = 127, high = 0;
    bool hit[128] = {false};
    for (size_t i = 0; i < s->n_notes; i++) {
        int p = s->notes[i].pitch;
        if (s->instruments[s->notes[i].instrument].is_drum)
            hit[p] = true;
        else
            low = p < low ? p : low, high = p > high ? p : high;
    }
    r->rows = low > high ? 0 : high - low + 3 < LEAST_ROWS ? LEAST_ROWS : high - low + 3;
    r->low = r->rows ? (low + high + 1 - r->rows) / 2 : 0;
    for (int p = 127; p >= 0; p--)
        r->drum_row[p] = hit[p] ? r->drums++ : -1;
}

static void lay(roll *r)
{
    const midi_song *s = r->s;
    double width = fmin(fmax(s->seconds * PER_SECOND, LEAST_WIDTH), ROLL_WIDTH - LEFT - RIGHT);
    choose_colours(r);
    choose_rows(r);
    r->scale = width / fmax(s->seconds, 1e-3);
    r->width = LEFT + RIGHT + (int)ceil(width);
    r->pedal = s->n_pedals > 0;
    r->drum_top = TOP + ROW * r->rows + (r->rows && r->drums ? GAP : 0);
    r->bottom = r->drum_top + ROW * r->drums + (r->pedal ? GAP + PEDAL : 0);
}

// ---- What lies behind the notes

static void text_at(roll *r, double x, double y, const char *class, const char *text)
{
    strbuf_printf(r->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class,
                  text);
}

static bool is_black(int pitch)
{
    return 0x54a >> ((pitch % OCTAVE + OCTAVE) % OCTAVE) & 1;
}

static void draw_pitches(roll *r)
{
    for (int p = r->low; p < r->low + r->rows; p++) {
        if (is_black(p))
            strbuf_printf(
                r->out, "<rect x=\"%d\" y=\"%.0f\" width=\"%d\" height=\"%d\" fill=\"#f3f3f3\"/>\n",
                LEFT, at_y(r, p), r->width - LEFT - RIGHT, ROW);
        if (p % OCTAVE || p < 0)
            continue;
        strbuf_printf(r->out, "<path d=\"M%d %.0fH%d\" class=\"c\"/>\n", LEFT, at_y(r, p) + ROW,
                      r->width - RIGHT);
        text_at(r, LEFT - 6, at_y(r, p) + ROW, "y",
                arena_printf(&r->memory, "C%d", p / OCTAVE - 1));
    }
}

static const char *drum_name(arena *a, int pitch)
{
    static const struct {
        int pitch;
        const char *name;
    } names[] = {{35, "kick 2"},  {36, "kick"},       {37, "rim"},       {38, "snare"},
                 {39, "clap"},    {40, "snare 2"},    {41, "low tom 2"}, {42, "hi-hat"},
                 {43, "low tom"}, {44, "pedal hh"},   {45, "mid tom 2"}, {46, "open hh"},
                 {47, "mid tom"}, {48, "high tom 2"}, {49, "crash"},     {50, "high tom"},
                 {51, "ride"},    {52, "china"},      {53, "bell"},      {54, "tambour."},
                 {55, "splash"},  {56, "cowbell"},    {57, "crash 2"},   {59, "ride 2"},
                 {69, "cabasa"},  {70, "maracas"},    {75, "claves"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].pitch == pitch)
            return names[i].name;
    return arena_printf(a, "drum %d", pitch);
}

static void draw_lanes(roll *r)
{
    draw_pitches(r);
    for (int p = 0; p < 128; p++)
        if (r->drum_row[p] >= 0)
            text_at(r, LEFT - 6, r->drum_top + ROW * (r->drum_row[p] + 1), "d",
                    drum_name(&r->memory, p));
    if (r->pedal)
        text_at(r, LEFT - 6, r->bottom, "y", "pedal");
    strbuf_printf(
        r->out,
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#999\"/>\n",
        LEFT, TOP, r->width - LEFT - RIGHT, r->bottom - TOP);
}

// The first of 1, 2, 5, 10 ... (times `unit`) that is `least` units of the picture apart.
static double step_of(double each, double least, const double *steps, int n)
{
    int i = 0;
    while (i < n - 1 && steps[i] * each < least)
        i++;
    return steps[i];
}

static void draw_seconds(roll *r)
{
    static const double steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200};
    double step = step_of(r->scale, 56, steps, sizeof steps / sizeof *steps);
    for (double t = 0; t <= r->s->seconds + 1e-9; t += step) {
        strbuf_printf(r->out, "<path d=\"M%.1f %dv4\" class=\"t\"/>\n", at_x(r, t), r->bottom);
        text_at(r, at_x(r, t), r->bottom + 16, "x",
                arena_printf(&r->memory, "%d:%02d", (int)t / 60, (int)t % 60));
    }
    text_at(r, LEFT - 18, r->bottom + 16, "y", "min:s");
}

// Lines where there is room for them, numbers where there is room for these.
static void draw_bars(roll *r)
{
    static const double steps[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
    song_bars b = bars_of(&r->memory, r->s);
    if (b.n == 0 || r->s->smpte)
        return;
    double each = (r->width - LEFT - RIGHT) / (double)b.n, lines = step_of(each, 8, steps, 12),
           numbers = step_of(each, 36, steps, 12);
    strbuf_printf(r->out, "<path class=\"b\" d=\"");
    for (size_t i = 0; i < b.n; i += (size_t)lines)
        strbuf_printf(r->out, "M%.1f %dV%d", at_x(r, midi_seconds(r->s, b.list[i].tick)), TOP,
                      r->bottom);
    strbuf_printf(r->out, "\"/>\n");
    for (size_t i = 0; i < b.n; i += (size_t)numbers)
        text_at(r, at_x(r, midi_seconds(r->s, b.list[i].tick)), TOP - 5, "x",
                arena_printf(&r->memory, "%zu", i + 1));
    text_at(r, LEFT - 18, TOP - 5, "y", "bar");
}

// ---- Notes

// All strokes of one colour (-1: drums) and one eighth of the loudness.
static size_t draw_strokes(roll *r, int colour, int loudness, size_t left)
{
    const midi_song *s = r->s;
    double drawn[128];
    size_t n = 0;
    for (int p = 0; p < 128; p++)
        drawn[p] = -1;
    for (size_t i = 0; i < s->n_notes && n < left; i++) {
        const midi_note *x = &s->notes[i];
        if (r->colour[x->instrument] != colour || x->velocity * LOUDNESS / 128 != loudness)
            continue;
        double from = at_x(r, x->start),
               to = colour < 0 ? from + ROW * 0.6 : fmax(at_x(r, x->end) - 0.4, from + 0.6);
        if (to < drawn[x->pitch] + 0.3)
            continue;
        from = fmax(from, drawn[x->pitch]);
        double y = colour < 0 ? r->drum_top + ROW * (r->drum_row[x->pitch] + 0.5)
                              : at_y(r, x->pitch) + ROW * 0.5;
        if (n++ == 0)
            strbuf_printf(r->out, "<path stroke=\"%s\" stroke-opacity=\"%.2f\" d=\"",
                          colour < 0 ? "#333" : colours[colour],
                          0.3 + 0.7 * (loudness + 1) / LOUDNESS);
        strbuf_printf(r->out, "M%.1f %.0fh%.1f", from, y, to - from);
        drawn[x->pitch] = to;
    }
    if (n)
        strbuf_printf(r->out, "\"/>\n");
    return n;
}

static void draw_notes(roll *r)
{
    size_t n = 0;
    strbuf_printf(r->out, "<g fill=\"none\" stroke-width=\"%d\">\n", ROW - 1);
    for (int colour = -1; colour < COLOURS; colour++)
        for (int loudness = 0; loudness < LOUDNESS; loudness++)
            n += draw_strokes(r, colour, loudness, ROLL_NOTES - n);
    strbuf_printf(r->out, "</g>\n");
    if (n >= ROLL_NOTES)
        text_at(r, r->width - RIGHT, 18, "y", "too many notes: not all are drawn");
}

static void draw_pedal(roll *r)
{
    double drawn = -1;
    strbuf_printf(r->out, "<path fill=\"none\" stroke=\"#888\" stroke-width=\"%d\" d=\"", PEDAL);
    for (size_t i = 0; i < r->s->n_pedals; i++) {
        const midi_pedal *p = &r->s->pedals[i];
        double from = at_x(r, fmin(p->start, r->s->seconds)),
               to = at_x(r, fmin(p->end, r->s->seconds));
        if (to - from < 0.1 || (from >= drawn - 0.3 && to <= drawn + 0.3))
            continue;
        strbuf_printf(r->out, "M%.1f %dh%.1f", from, r->bottom - PEDAL / 2,
                      fmax(to - from - 0.4, 0.4));
        drawn = to;
    }
    strbuf_printf(r->out, "\"/>\n");
}

// ---- Words

static void draw_legend(roll *r)
{
    const midi_song *s = r->s;
    double x = LEFT;
    bool done[COLOURS] = {false};
    for (size_t i = 0; i < s->n_instruments; i++) {
        int k = r->colour[i];
        if (k < 0 || done[k] || x > r->width - 120)
            continue;
        done[k] = true;
        const midi_instrument *m = &s->instruments[i];
        const char *name = k == COLOURS - 1 ? "others"
                                            : arena_printf(&r->memory, "%s %d (channel %d)",
                                                           families[m->program / FAMILY],
                                                           m->program + 1, m->channel + 1);
        strbuf_printf(r->out,
                      "<rect x=\"%.1f\" y=\"28\" width=\"10\" height=\"10\" fill=\"%s\"/>\n", x,
                      colours[k]);
        text_at(r, x + 14, 37, "l", name);
        x += 30 + 6.2 * (double)strlen(name);
    }
}

static void draw_title(roll *r, const char *title)
{
    const midi_song *s = r->s;
    strbuf name = {0};
    svg_any_text(title, &name);
    strbuf_printf(r->out,
                  "<text x=\"%d\" y=\"18\"><tspan class=\"h\">%s</tspan><tspan dx=\"12\">%zu "
                  "notes, %d:%02d, %.0f quarters a "
                  "minute</tspan></text>\n",
                  LEFT, name.s ? name.s : "", s->n_notes, (int)s->seconds / 60,
                  (int)s->seconds % 60, bars_tempo(s).mean);
    strbuf_free(&name);
}

void roll_svg(const midi_song *s, const char *title, strbuf *out)
{
    roll r = {.memory = {.name = "roll"}, .s = s, .out = out};
    lay(&r);
    int height = r.bottom + 26;
    svg_begin(r.width, height, " font-family=\"sans-serif\"",
              "text{font-size:11px;fill:#444}.h{font-size:14px;font-weight:bold;fill:#111}"
              ".y,.d{text-anchor:end}.d{font-size:7px}.x{text-anchor:middle}.c{stroke:#bbb}"
              ".t{stroke:#999}.b{stroke:#e2e2e2}",
              out);
    draw_lanes(&r);
    draw_bars(&r);
    draw_seconds(&r);
    draw_notes(&r);
    if (r.pedal)
        draw_pedal(&r);
    draw_legend(&r);
    draw_title(&r, title);
    strbuf_printf(out, "</svg>\n");
    arena_free(&r.memory);
}

bool roll_write(const char *path, const midi_song *s, const char *title, err *e)
{
    strbuf text = {0};
    if (!path)
        return true;
    if (s->n_notes == 0)
        return err_set(e, ERR_EMPTY, "'%s' has no notes to draw", title);
    roll_svg(s, title, &text);
    bool ok = file_write(path, text.s, text.len, e);
    strbuf_free(&text);
    return ok;
}
