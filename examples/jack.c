/* SPDX-License-Identifier: GPL-3.0-or-later
 * jack.c: a JACK client that listens to what comes in, and plays what the models make of it: a
 * recogniser says the emotion, the melody model what the next note may be, and a plucked sine plays
 * it. Both are behind bridges: they could answer in the audio thread, but a step of the melody
 * model reads 2.5 MB of weights, which a busy machine may take most of a period of 64 frames for.
 *
 *     cc -Iinclude examples/jack.c -Lbuild/lib -lkmidi -ljack -lm -Wl,-rpath,build/lib -o duet
 *     ./duet RECOGNISER MELODY [SECONDS]
 *
 * At its end it says what was asked, answered, refused and late, how many xruns JACK had and how
 * long the longest call took of the processor; with SECONDS it leaves with 1 where an answer was
 * refused or a call took longer than a period.
 */
#include <jack/jack.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmidi.h"

enum { REQUESTS = 256, NOTES = 128, EMOTION = 64, ANSWER = 512 };

typedef struct duet {
    jack_client_t *client;
    jack_port_t *in, *out;
    kmidi_model *hears, *plays;
    kmidi_session *ear, *voice;
    kmidi_bridge *listening, *writing;
    double rate;
    int64_t at;                 /* samples since the beginning */
    float emotion[EMOTION + 1]; /* and the previous note */
    float answer[ANSWER], logits[NOTES];
    double phase, step, level; /* of the note that sounds */
    int64_t next;              /* when the next one begins */
    uint32_t chance;
    long notes;
    double longest; /* processor's seconds of a call */
    atomic_long xruns;
} duet;

static double processor(void)
{
    struct timespec t; /* a system call of some hundred nanoseconds, for what is said at the end */
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A note by its probability (Gumbel's way: the largest of the logits and some noise). */
static int draw(duet *d)
{
    int best = 0;
    float most = -INFINITY;
    for (int i = 0; i < NOTES; i++) {
        d->chance = d->chance * 1664525u + 1013904223u;
        float u = ((float)(d->chance >> 8) + 0.5f) / (float)(1 << 24), x;
        x = d->logits[i] - logf(-logf(u));
        if (x > most)
            most = x, best = i;
    }
    return best;
}

static void ask_note(duet *d)
{
    kmidi_bridge_ask(d->writing, d->emotion, EMOTION + 1, d->at);
    /* the more aroused, the sooner the next */
    d->next += (int64_t)(d->rate * (0.35 - 0.2 * d->emotion[1]));
}

static void begin_note(duet *d)
{
    int note = draw(d);
    d->emotion[EMOTION] = (float)note;
    d->step = 2 * M_PI * 440 * pow(2, (note - 69) / 12.0) / d->rate;
    d->level = 0.2 + 0.1 * d->emotion[1];
    d->notes++;
}

static int play(jack_nframes_t n, void *arg)
{
    duet *d = arg;
    double began = processor();
    const float *in = jack_port_get_buffer(d->in, n);
    float *out = jack_port_get_buffer(d->out, n);
    kmidi_bridge_ask(d->listening, in, (int)n, d->at);
    while (kmidi_bridge_take(d->listening, d->at + n, d->answer, ANSWER, NULL) > 0)
        memcpy(d->emotion, d->answer, EMOTION * sizeof(float));
    if (d->at >= d->next)
        ask_note(d);
    if (kmidi_bridge_take(d->writing, d->at + n, d->logits, NOTES, NULL) > 0)
        begin_note(d);
    for (jack_nframes_t i = 0; i < n; i++) {
        out[i] = (float)(d->level * sin(d->phase));
        d->phase = fmod(d->phase + d->step, 2 * M_PI);
        d->level *= 1 - 4 / d->rate;
    }
    d->at += n;
    double took = processor() - began;
    d->longest = took > d->longest ? took : d->longest;
    return 0;
}

static int count_xrun(void *arg)
{
    atomic_fetch_add(&((duet *)arg)->xruns, 1);
    return 0;
}

static int open_models(duet *d, char **argv, int block)
{
    char why[KMIDI_TEXT];
    kmidi_setup setup = {.rate = d->rate, .block = block};
    if (kmidi_open(argv[1], NULL, &d->hears, why) || kmidi_open(argv[2], NULL, &d->plays, why) ||
        kmidi_session_open(d->hears, &setup, &d->ear, why) ||
        kmidi_session_open(d->plays, &setup, &d->voice, why)) {
        fprintf(stderr, "duet: %s\n", why);
        return 0;
    }
    if (!kmidi_hears(d->hears) || kmidi_width(d->ear) > ANSWER ||
        kmidi_takes(d->voice) != EMOTION + 1) {
        fprintf(stderr, "duet: a recogniser and a melody_transformer are needed, in this order\n");
        return 0;
    }
    /* 20 ms for the worker to be late in */
    int lookahead = (int)(d->rate / 50);
    return !kmidi_bridge_open(d->ear, REQUESTS, lookahead, &d->listening) &&
           !kmidi_bridge_open(d->voice, REQUESTS, lookahead, &d->writing);
}

static int open_client(duet *d, char **argv)
{
    d->client = jack_client_open("duet", JackNoStartServer, NULL);
    if (!d->client) {
        fprintf(stderr, "duet: no JACK server runs; start one: jackd -d dummy\n");
        return 0;
    }
    d->rate = jack_get_sample_rate(d->client);
    d->emotion[EMOTION] = -1;
    if (!open_models(d, argv, (int)jack_get_buffer_size(d->client)))
        return 0;
    d->in = jack_port_register(d->client, "in", JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
    d->out = jack_port_register(d->client, "out", JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
    jack_set_process_callback(d->client, play, d);
    jack_set_xrun_callback(d->client, count_xrun, d);
    return d->in && d->out && !jack_activate(d->client);
}

/* What comes in from the sound card, and out to it. */
static void connect(duet *d)
{
    const char **from = jack_get_ports(d->client, NULL, JACK_DEFAULT_AUDIO_TYPE,
                                       JackPortIsPhysical | JackPortIsOutput),
               **to = jack_get_ports(d->client, NULL, JACK_DEFAULT_AUDIO_TYPE,
                                     JackPortIsPhysical | JackPortIsInput);
    if (from)
        jack_connect(d->client, from[0], "duet:in");
    if (to)
        jack_connect(d->client, "duet:out", to[0]);
    jack_free(from);
    jack_free(to);
}

static int say(duet *d)
{
    kmidi_counts a = kmidi_bridge_counts(d->listening), b = kmidi_bridge_counts(d->writing);
    double period = jack_get_buffer_size(d->client) / d->rate;
    printf("{\"asked\": %ld, \"answered\": %ld, \"refused\": %ld, \"failed\": %ld, "
           "\"late\": %ld, \"notes_asked\": %ld, \"notes\": %ld, \"notes_late\": %ld, "
           "\"xruns\": %ld, \"longest_ms\": %.4f, \"period_ms\": %.4f, \"latency\": %ld, "
           "\"valence\": %.3f, \"arousal\": %.3f}\n",
           a.asked, a.answered, a.refused + b.refused, a.failed + b.failed, a.late, b.asked,
           d->notes, b.late, atomic_load(&d->xruns), 1e3 * d->longest, 1e3 * period,
           (long)kmidi_bridge_latency(d->listening), (double)d->emotion[0], (double)d->emotion[1]);
    return a.refused || b.refused || a.failed || b.failed || d->longest > period;
}

int main(int argc, char **argv)
{
    static duet d = {.chance = 1};
    int status = 1, seconds = argc > 3 ? atoi(argv[3]) : 0;
    if (argc < 3) {
        fprintf(stderr, "usage: duet RECOGNISER MELODY [SECONDS]\n");
        return 2;
    }
    if (open_client(&d, argv)) {
        connect(&d);
        for (int i = 0; !seconds || i < seconds; i++)
            sleep(1);
        jack_deactivate(d.client);
        status = say(&d);
    }
    if (d.client)
        jack_client_close(d.client);
    kmidi_bridge_close(d.listening);
    kmidi_bridge_close(d.writing);
    kmidi_session_close(d.ear);
    kmidi_session_close(d.voice);
    kmidi_close(d.hears);
    kmidi_close(d.plays);
    return status;
}
