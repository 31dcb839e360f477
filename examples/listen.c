/* SPDX-License-Identifier: GPL-3.0-or-later
 * listen.c: what a model hears in raw samples (mono, 32-bit floats) on stdin, a line an answer.
 *
 *     make lib
 *     cc -Iinclude examples/listen.c -Lbuild/lib -lkmidi -Wl,-rpath,build/lib -o listen
 *     sox voice.wav -t f32 -c 1 - | ./listen runs/first 44100
 */
#include <stdio.h>
#include <stdlib.h>

#include "kmidi.h"

enum { BLOCK = 512 };

static void say(const kmidi_model *m, long at, const float *answer, int width)
{
    int labels = kmidi_labels(m), best = 0;
    const float *p = answer + width - labels;
    for (int i = 1; i < labels; i++)
        best = p[i] > p[best] ? i : best;
    printf("%ld valence %+.3f arousal %+.3f", at, answer[0], answer[1]);
    if (labels)
        printf(" %s %.2f", kmidi_label(m, best), p[best]);
    printf("\n");
}

static int listen(kmidi_model *m, kmidi_session *s, float *out)
{
    float in[BLOCK];
    long at = 0;
    for (size_t n; (n = fread(in, sizeof *in, BLOCK, stdin)) > 0;) {
        int k = kmidi_process(s, in, (int)n, out, kmidi_room(s)), width = kmidi_width(s);
        if (k < 0) {
            fprintf(stderr, "listen: %s\n", kmidi_status_text((kmidi_status)k));
            return 1;
        }
        at += (long)n;
        for (int i = 0; i < k; i++)
            say(m, at - kmidi_latency(s), out + i * width, width);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char why[KMIDI_TEXT];
    kmidi_model *m = NULL;
    kmidi_session *s = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: listen CHECKPOINT RATE <SAMPLES\n");
        return 2;
    }
    kmidi_setup setup = {.rate = atof(argv[2]), .block = BLOCK};
    int status = 1;
    if (kmidi_open(argv[1], NULL, &m, why) || kmidi_session_open(m, &setup, &s, why)) {
        fprintf(stderr, "listen: %s\n", why);
    } else {
        float *out = malloc((size_t)kmidi_room(s) * sizeof *out);
        status = out && kmidi_hears(m) ? listen(m, s, out) : 1;
        free(out);
    }
    kmidi_session_close(s);
    kmidi_close(m);
    return status;
}
