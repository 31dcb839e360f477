/* SPDX-License-Identifier: GPL-3.0-or-later
 * kmidi.h: trained models in real time, for plug-ins, players and servers.
 *
 * A model is opened once, from a checkpoint that `kmidi train` or `kmidi import` wrote; its weights
 * are read-only and shared. A session is one listener, one voice: it has the state and the memory
 * that one stream needs, and there may be any number of them, each in a thread of its own.
 *
 *     char why[KMIDI_TEXT];
 *     kmidi_model *m;
 *     if (kmidi_open("best.h5", NULL, &m, why)) { puts(why); return 1; }
 *     kmidi_session *s;
 *     if (kmidi_session_open(m, &(kmidi_setup){.rate = 48000, .block = 64}, &s, why)) ...
 *     float *answers = malloc(kmidi_room(s) * sizeof(float));
 *     ... in the audio thread, for each block of n <= 64 samples:
 *     int k = kmidi_process(s, samples, n, answers, kmidi_room(s));
 *     // k answers, each of kmidi_width(s) numbers, the newest last; k < 0: a kmidi_status
 *     ...
 *     kmidi_session_close(s);
 *     kmidi_close(m);
 *
 * Which models, what a call of kmidi_process takes, and what an answer is (kmidi_width numbers):
 *
 *     emotion_recognizer   any number of samples up to the block, mono, at the session's rate
 *                          -> for each frame that they complete: embedding [64] (valence first,
 *                          arousal second), then a probability for each label of the checkpoint
 *     melody_transformer   emotion [64], previous note (-1: none) -> note logits [128]
 *     harmony_predictor    emotion [64], melody context [64]      -> chord logits [64]
 *     groove_predictor     emotion [64]                           -> groove [32]
 *     dynamics_engine      statistics [32]                        -> loudness [16]
 *
 * The first goes from frame to frame, the second from note to note with its state; the others keep
 * nothing. Samples become frames as the checkpoint says: resampled, log-mel, standardised.
 *
 * kmidi_process, kmidi_reset and the questions behind a session take no memory and no lock, make no
 * system call and write nothing, whatever they are given. Everything else may do all of that, and
 * is for one thread at a time: HDF5 and FFTW have only one planner and one file table a process.
 */
#ifndef KMIDI_H
#define KMIDI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KMIDI_API __attribute__((visibility("default")))
/* For real time: where the compiler knows the word (clang 20), whoever is under it may call these,
 * and -fsanitize=realtime watches what they do. */
#define KMIDI_LIVE KMIDI_API
#ifdef __has_attribute
#if __has_attribute(nonblocking)
#undef KMIDI_LIVE
#define KMIDI_LIVE KMIDI_API __attribute__((nonblocking))
#endif
#endif

enum { KMIDI_VERSION = 1 }; /* of this interface; what was linked: kmidi_version */
enum { KMIDI_TEXT = 512 };  /* of a sentence that says why, its end included */

typedef enum kmidi_status {
    KMIDI_OK = 0,
    KMIDI_NOTHING = -1, /* a pointer is NULL */
    KMIDI_CLOSED = -2,  /* the session was closed */
    KMIDI_SETUP = -3,   /* a rate or a block size that cannot be */
    KMIDI_COUNT = -4,   /* not as many numbers as the model takes, or more than a block */
    KMIDI_ROOM = -5,    /* less room for answers than kmidi_room says */
    KMIDI_VALUE = -6,   /* an input that is no number, or out of range: nothing was heard */
    KMIDI_FILE = -7,    /* cannot be read, or is damaged: the sentence says more */
    KMIDI_UNFIT = -8,   /* a model that this library does not offer, or of no audio settings */
    KMIDI_MEMORY = -9,
    KMIDI_FULL = -10, /* no place for another request: it was not heard */
} kmidi_status;

typedef struct kmidi_model kmidi_model;
typedef struct kmidi_session kmidi_session;

KMIDI_API int kmidi_version(void);
KMIDI_API const char *kmidi_status_text(kmidi_status status); /* a short sentence, for ever */

/* ---- Models */

/* `checkpoint`: a file, or a run folder (its best). `adapter`: a folder that PEFT or kmidi wrote,
 * or NULL. `why` [KMIDI_TEXT] gets a sentence on failure; it may be NULL. */
KMIDI_API kmidi_status kmidi_open(const char *checkpoint, const char *adapter, kmidi_model **out,
                                  char *why);
/* Once for each model; NULL is taken. Its memory goes with the last of its sessions. */
KMIDI_API void kmidi_close(kmidi_model *m);
KMIDI_API const char *kmidi_name(const kmidi_model *m); /* "emotion_recognizer"; NULL of NULL */
KMIDI_API int kmidi_labels(const kmidi_model *m);       /* how many; 0 where it names none */
KMIDI_API const char *kmidi_label(const kmidi_model *m, int i); /* NULL where there is none */
KMIDI_API int kmidi_hears(const kmidi_model *m);                /* 1: it takes samples */

/* ---- Sessions */

typedef struct kmidi_setup {
    double rate; /* samples a second, 1000 to 768000 */
    int block;   /* the most samples of a call, 1 to 65536 */
    int forget;  /* 0: the state goes on from call to call; 1: each answer begins anew */
} kmidi_setup;

/* Of models that take no samples, rate and block must be valid and mean nothing. */
KMIDI_API kmidi_status kmidi_session_open(kmidi_model *m, const kmidi_setup *setup,
                                          kmidi_session **out, char *why);
/* NULL is taken. Until its model is closed, too, a session that was closed answers KMIDI_CLOSED. */
KMIDI_API kmidi_status kmidi_session_close(kmidi_session *s);

/* The number of answers, which stand in `out` one behind the other, or a kmidi_status. */
KMIDI_LIVE int kmidi_process(kmidi_session *s, const float *in, int n, float *out, int room);
/* As it was when it was opened. */
KMIDI_LIVE kmidi_status kmidi_reset(kmidi_session *s);
KMIDI_LIVE int kmidi_takes(const kmidi_session *s); /* numbers of a call: these, or up to these */
KMIDI_LIVE int kmidi_width(const kmidi_session *s); /* numbers of an answer */
KMIDI_LIVE int kmidi_room(const kmidi_session *s); /* numbers of all answers that a call may give */
/* Samples at the session's rate between a sound and the answer to the frame whose middle it is. */
KMIDI_LIVE int kmidi_latency(const kmidi_session *s);
/* Samples from one answer to the next, as nearly as a whole number says it; 0 without sound. */
KMIDI_LIVE int kmidi_hop(const kmidi_session *s);

/* ---- Bridges: a session on a thread of its own, which may be late; nobody waits for it */

typedef struct kmidi_bridge kmidi_bridge;
typedef struct kmidi_counts {
    long asked, answered; /* requests taken in; answers given */
    long refused;         /* requests that found no place (KMIDI_FULL) */
    long failed;          /* requests whose input was none (KMIDI_VALUE) */
    long late;            /* answers that were not there when they were due */
} kmidi_counts;

/* A place for `requests` (rounded up to a power of two), and `lookahead` samples for the worker to
 * be late in. The session is the bridge's until that is closed, and outlives it. */
KMIDI_API kmidi_status kmidi_bridge_open(kmidi_session *s, int requests, int lookahead,
                                         kmidi_bridge **out);
KMIDI_API void kmidi_bridge_close(kmidi_bridge *b); /* waits for the worker; NULL is taken */

/* These are for real time as kmidi_process is, all from one thread. A request is what kmidi_process
 * takes; `at` is where its first sample stands in the stream. */
KMIDI_LIVE kmidi_status kmidi_bridge_ask(kmidi_bridge *b, const float *in, int n, int64_t at);
/* 1: the next answer, in order, that is due at `now`, and (unless NULL) `at` what it is of; 0:
 * there is none. No answer is ever dropped: those that are not taken keep requests from being taken
 * in. */
KMIDI_LIVE int kmidi_bridge_take(kmidi_bridge *b, int64_t now, float *out, int room, int64_t *at);
KMIDI_LIVE int kmidi_bridge_idle(kmidi_bridge *b); /* 1: all that was asked was answered */
/* Samples between a sound and when its answer is due: the session's latency and the lookahead. */
KMIDI_LIVE int64_t kmidi_bridge_latency(const kmidi_bridge *b);
KMIDI_LIVE kmidi_counts kmidi_bridge_counts(kmidi_bridge *b);

#ifdef __cplusplus
}
#endif
#endif
