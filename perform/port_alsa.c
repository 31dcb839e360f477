// SPDX-License-Identifier: GPL-3.0-or-later
// port_alsa.c: a client of ALSA's sequencer with a port each way (port.h), which every program that
// plays MIDI on Linux can subscribe to (aconnect kmidi:0 ...). The kernel holds what is sent until
// its moment, on a queue of its own that starts when the port is opened.
#include "perform/port.h"

#include "data/midi/midi.h" // before ALSA, whose MIDI_CHANNELS is a macro

#if __has_include(<alsa/asoundlib.h>)
#include <alsa/asoundlib.h>
#include <math.h>

#include "base/hw.h"
#include "base/library.h"

#define FUNCTIONS(X)                                                                               \
    X(snd_seq_open)                                                                                \
    X(snd_seq_close)                                                                               \
    X(snd_seq_set_client_name)                                                                     \
    X(snd_seq_client_id)                                                                           \
    X(snd_seq_create_simple_port)                                                                  \
    X(snd_seq_alloc_named_queue)                                                                   \
    X(snd_seq_control_queue)                                                                       \
    X(snd_seq_drain_output)                                                                        \
    X(snd_seq_event_output_direct)                                                                 \
    X(snd_seq_event_input_pending)                                                                 \
    X(snd_seq_event_input)                                                                         \
    X(snd_lib_error_set_handler)                                                                   \
    X(snd_strerror)

typedef struct alsa_functions {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} alsa_functions;

typedef struct alsa_port {
    midi_port base;
    alsa_functions lib;
    snd_seq_t *seq;
    int port, queue;
    double began, until; // hw_seconds when the queue started; of what was sent last
} alsa_port;

static bool load(alsa_functions *lib, err *e)
{
    static const library_function list[] = {
#define X(name) {#name, offsetof(alsa_functions, name)},
        FUNCTIONS(X)
#undef X
    };
    static const library file = {"ALSA", LIBRARY_FILES("asound", "2"), list,
                                 sizeof list / sizeof *list};
    return library_open(&file, lib, e) || err_set(e, e->code, "%s; install libasound2", e->text);
}

// What alsa-lib's macros (seqmid.h) make of it.
static void fill(snd_seq_event_t *x, const uint8_t bytes[3])
{
    int kind = bytes[0] & 0xf0;
    uint8_t channel = bytes[0] & 15;
    if (kind == MIDI_CONTROL || kind == MIDI_PROGRAM) {
        x->type = kind == MIDI_CONTROL ? SND_SEQ_EVENT_CONTROLLER : SND_SEQ_EVENT_PGMCHANGE;
        x->data.control.channel = channel;
        x->data.control.param = kind == MIDI_CONTROL ? bytes[1] : 0;
        x->data.control.value = kind == MIDI_CONTROL ? bytes[2] : bytes[1];
        return;
    }
    x->type = kind == MIDI_NOTE_ON ? SND_SEQ_EVENT_NOTEON : SND_SEQ_EVENT_NOTEOFF;
    x->data.note.channel = channel;
    x->data.note.note = bytes[1], x->data.note.velocity = bytes[2];
}

static bool send_alsa(midi_port *base, const uint8_t bytes[3], double when)
{
    alsa_port *p = base->self;
    double at = fmax(0, when - p->began), whole = floor(at);
    snd_seq_event_t x = {.flags = SND_SEQ_TIME_STAMP_REAL | SND_SEQ_TIME_MODE_ABS,
                         .queue = (unsigned char)p->queue};
    fill(&x, bytes);
    x.source.port = (unsigned char)p->port;
    x.dest.client = SND_SEQ_ADDRESS_SUBSCRIBERS, x.dest.port = SND_SEQ_ADDRESS_UNKNOWN;
    x.time.time.tv_sec = (unsigned)whole, x.time.time.tv_nsec = (unsigned)(1e9 * (at - whole));
    p->until = when;
    return p->lib.snd_seq_event_output_direct(p->seq, &x) >= 0;
}

static bool hear_alsa(midi_port *base, uint8_t bytes[3])
{
    alsa_port *p = base->self;
    snd_seq_event_t *x;
    while (p->lib.snd_seq_event_input_pending(p->seq, 1) > 0 &&
           p->lib.snd_seq_event_input(p->seq, &x) >= 0)
        if (x->type == SND_SEQ_EVENT_CONTROLLER && x->data.control.param < 128) {
            bytes[0] = (uint8_t)(MIDI_CONTROL | (x->data.control.channel & 15));
            bytes[1] = (uint8_t)x->data.control.param;
            bytes[2] = (uint8_t)(x->data.control.value & 127);
            return true;
        }
    return false;
}

static void close_alsa(midi_port *base)
{
    alsa_port *p = base->self;
    double left = p->until - hw_seconds();
    if (left > 0)
        hw_sleep(left < 1 ? left + 0.01 : 1);
    p->lib.snd_seq_close(p->seq);
}

// alsa-lib prints otherwise.
static void silent(const char *file, int line, const char *function, int number, const char *text,
                   ...)
{
    (void)file, (void)line, (void)function, (void)number, (void)text;
}

static bool open_client(alsa_port *p, const char *name, err *e)
{
    p->lib.snd_lib_error_set_handler(silent);
    int failed = p->lib.snd_seq_open(&p->seq, "default", SND_SEQ_OPEN_DUPLEX, SND_SEQ_NONBLOCK);
    if (failed < 0) {
        p->seq = NULL;
        return err_set(e, ERR_MISSING,
                       "ALSA's sequencer cannot be opened: %s; it needs /dev/snd/seq (modprobe "
                       "snd-seq), or use --port jack, or write to a file by -o",
                       p->lib.snd_strerror(failed));
    }
    p->lib.snd_seq_set_client_name(p->seq, name);
    p->port = p->lib.snd_seq_create_simple_port(
        p->seq, name,
        SND_SEQ_PORT_CAP_READ | SND_SEQ_PORT_CAP_SUBS_READ | SND_SEQ_PORT_CAP_WRITE |
            SND_SEQ_PORT_CAP_SUBS_WRITE,
        SND_SEQ_PORT_TYPE_MIDI_GENERIC | SND_SEQ_PORT_TYPE_SOFTWARE |
            SND_SEQ_PORT_TYPE_APPLICATION);
    p->queue = p->lib.snd_seq_alloc_named_queue(p->seq, name);
    if (p->port < 0 || p->queue < 0 ||
        p->lib.snd_seq_control_queue(p->seq, p->queue, SND_SEQ_EVENT_START, 0, NULL) < 0 ||
        p->lib.snd_seq_drain_output(p->seq) < 0)
        return err_set(e, ERR_MISSING, "ALSA's sequencer gives no port or no queue");
    p->began = hw_seconds();
    return true;
}

static midi_port *open_alsa(const char *name, arena *a, err *e)
{
    alsa_port *p = NEW(a, alsa_port, 1);
    p->base = (midi_port){.kind = &midi_port_kind_alsa, .self = p};
    if (load(&p->lib, e) && open_client(p, name, e)) {
        p->base.name =
            arena_printf(a, "ALSA's %s (%d:%d)", name, p->lib.snd_seq_client_id(p->seq), p->port);
        return &p->base;
    }
    if (p->seq)
        p->lib.snd_seq_close(p->seq);
    return NULL;
}
#else
static midi_port *open_alsa(const char *name, arena *a, err *e)
{
    (void)name, (void)a;
    err_set(e, ERR_MISSING,
            "this kmidi was built without ALSA's headers; install them "
            "(libasound2-dev) and build it again, on Linux");
    return NULL;
}
#define send_alsa  NULL
#define hear_alsa  NULL
#define close_alsa NULL
#endif

const midi_port_kind midi_port_kind_alsa = {
    .name = "alsa", .open = open_alsa, .send = send_alsa, .hear = hear_alsa, .close = close_alsa};
