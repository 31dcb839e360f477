// SPDX-License-Identifier: GPL-3.0-or-later
// port_jack.c: a client of JACK (or of PipeWire's libjack) with a MIDI port each way (port.h).
//
// JACK calls `process` in its own real-time thread, a period at a time. What is sent waits in a
// ring until the period in which its moment lies, and stands there on its very sample; of what is
// late, at once. Its clock is another one than ours, which stands still against it: how far they
// lie apart is measured once.
#include <stdatomic.h>
#include <string.h>

#include "base/hw.h"
#include "base/library.h"
#include "data/midi/midi.h"
#include "perform/port.h"
#include "serve/ring.h"

#if __has_include(<jack/jack.h>)
#include <jack/jack.h>
#include <jack/midiport.h>

enum { WAITING = 1024, HEARD = 256, ATTEMPTS = 9 };

typedef struct message {
    uint64_t when; // microseconds of JACK's clock
    uint8_t bytes[3];
} message;

#define FUNCTIONS(X)                                                                               \
    X(jack_client_open)                                                                            \
    X(jack_client_close)                                                                           \
    X(jack_get_client_name)                                                                        \
    X(jack_activate)                                                                               \
    X(jack_deactivate)                                                                             \
    X(jack_set_process_callback)                                                                   \
    X(jack_on_shutdown)                                                                            \
    X(jack_port_register)                                                                          \
    X(jack_port_get_buffer)                                                                        \
    X(jack_get_time)                                                                               \
    X(jack_last_frame_time)                                                                        \
    X(jack_time_to_frames)                                                                         \
    X(jack_set_error_function)                                                                     \
    X(jack_set_info_function)                                                                      \
    X(jack_midi_get_event_count)                                                                   \
    X(jack_midi_event_get)                                                                         \
    X(jack_midi_clear_buffer)                                                                      \
    X(jack_midi_event_write)

typedef struct jack_functions {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} jack_functions;

typedef struct jack_port {
    midi_port base;
    jack_functions lib;
    jack_client_t *client;
    void *in, *out;
    ring sent, heard; // of message
    double apart;     // JACK's seconds behind ours
    atomic_bool gone;
} jack_port;

static bool load(jack_functions *lib, err *e)
{
    static const library_function list[] = {
#define X(name) {#name, offsetof(jack_functions, name)},
        FUNCTIONS(X)
#undef X
    };
    static const library file = {"JACK", LIBRARY_FILES("jack", "0"), list,
                                 sizeof list / sizeof *list};
    return library_open(&file, lib, e) || err_set(e, e->code,
                                                  "%s; install libjack-jackd2-0 (Debian), jack "
                                                  "(Homebrew), or what PipeWire has in its place",
                                                  e->text);
}

// ---- JACK's thread

static size_t length_of(const uint8_t *bytes)
{
    return (bytes[0] & 0xf0) == MIDI_PROGRAM ? 2 : 3;
}

static void speak(jack_port *p, jack_nframes_t frames)
{
    void *out = p->lib.jack_port_get_buffer(p->out, frames);
    jack_nframes_t now = p->lib.jack_last_frame_time(p->client);
    p->lib.jack_midi_clear_buffer(out);
    for (const message *m; (m = ring_read(&p->sent)); ring_done(&p->sent)) {
        int32_t at = (int32_t)(p->lib.jack_time_to_frames(p->client, m->when) - now); // they wrap
        if (at >= (int32_t)frames)
            return;
        if (p->lib.jack_midi_event_write(out, at > 0 ? (jack_nframes_t)at : 0, m->bytes,
                                         length_of(m->bytes)))
            return; // the port is full until the next period
    }
}

static void listen(jack_port *p, jack_nframes_t frames)
{
    void *in = p->lib.jack_port_get_buffer(p->in, frames);
    jack_midi_event_t x;
    for (uint32_t i = 0; i < p->lib.jack_midi_get_event_count(in); i++) {
        if (p->lib.jack_midi_event_get(&x, in, i) || x.size != 3 ||
            (x.buffer[0] & 0xf0) != MIDI_CONTROL)
            continue;
        message *m = ring_write(&p->heard);
        if (!m)
            return;
        memcpy(m->bytes, x.buffer, sizeof m->bytes);
        ring_written(&p->heard);
    }
}

static int process(jack_nframes_t frames, void *arg)
{
    speak(arg, frames);
    listen(arg, frames);
    return 0;
}

static void on_shutdown(void *arg)
{
    jack_port *p = arg;
    atomic_store(&p->gone, true);
}

// ---- Ours

static bool send_jack(midi_port *base, const uint8_t bytes[3], double when)
{
    jack_port *p = base->self;
    message *m = atomic_load(&p->gone) ? NULL : ring_write(&p->sent);
    if (!m)
        return false;
    m->when = (uint64_t)(1e6 * (when + p->apart));
    memcpy(m->bytes, bytes, sizeof m->bytes);
    ring_written(&p->sent);
    return true;
}

static bool hear_jack(midi_port *base, uint8_t bytes[3])
{
    jack_port *p = base->self;
    const message *m = ring_read(&p->heard);
    if (!m)
        return false;
    memcpy(bytes, m->bytes, sizeof m->bytes);
    ring_done(&p->heard);
    return true;
}

static void close_jack(midi_port *base)
{
    jack_port *p = base->self;
    for (int i = 0; i < 100 && ring_read(&p->sent) && !atomic_load(&p->gone); i++)
        hw_sleep(0.01);
    if (p->client)
        p->lib.jack_client_close(p->client);
    p->client = NULL;
}

// The nearest of a few looks at both clocks.
static double measure_apart(const jack_port *p)
{
    double least = 1, apart = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        double before = hw_seconds(), theirs = (double)p->lib.jack_get_time() / 1e6,
               after = hw_seconds();
        if (after - before < least)
            least = after - before, apart = theirs - (before + after) / 2;
    }
    return apart;
}

static void silent(const char *text)
{
    (void)text; // JACK prints otherwise
}

static bool open_client(jack_port *p, const char *name, err *e)
{
    jack_status_t status = 0;
    p->lib.jack_set_error_function(silent), p->lib.jack_set_info_function(silent);
    p->client = p->lib.jack_client_open(name, JackNoStartServer, &status);
    if (!p->client)
        return err_set(e, ERR_MISSING,
                       "no JACK server answers; start one (jackd -d alsa, or -d dummy to try), or "
                       "write to a file by -o");
    p->apart = measure_apart(p);
    p->in = p->lib.jack_port_register(p->client, "in", JACK_DEFAULT_MIDI_TYPE, JackPortIsInput, 0);
    p->out =
        p->lib.jack_port_register(p->client, "out", JACK_DEFAULT_MIDI_TYPE, JackPortIsOutput, 0);
    p->lib.jack_set_process_callback(p->client, process, p);
    p->lib.jack_on_shutdown(p->client, on_shutdown, p);
    return (p->in && p->out && !p->lib.jack_activate(p->client)) ||
           err_set(e, ERR_MISSING, "JACK gives no MIDI ports");
}

static midi_port *open_jack(const char *name, arena *a, err *e)
{
    jack_port *p = NEW(a, jack_port, 1);
    p->base = (midi_port){.kind = &midi_port_kind_jack, .self = p};
    ring_open(&p->sent, NEW(a, message, WAITING), sizeof(message), WAITING);
    ring_open(&p->heard, NEW(a, message, HEARD), sizeof(message), HEARD);
    if (load(&p->lib, e) && open_client(p, name, e)) {
        p->base.name = arena_printf(a, "JACK's %s:out", p->lib.jack_get_client_name(p->client));
        return &p->base;
    }
    if (p->client)
        p->lib.jack_client_close(p->client);
    return NULL;
}
#else
static midi_port *open_jack(const char *name, arena *a, err *e)
{
    (void)name, (void)a;
    err_set(e, ERR_MISSING,
            "this kmidi was built without JACK's headers; install them "
            "(libjack-jackd2-dev, or jack of Homebrew) and build it again");
    return NULL;
}
#define send_jack  NULL
#define hear_jack  NULL
#define close_jack NULL
#endif

const midi_port_kind midi_port_kind_jack = {
    .name = "jack", .open = open_jack, .send = send_jack, .hear = hear_jack, .close = close_jack};
