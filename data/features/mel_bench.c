// SPDX-License-Identifier: GPL-3.0-or-later
// mel_bench.c: the speed of mel spectrograms (mel_bench.h).
#include "data/features/mel_bench.h"

#include "base/hw.h"
#include "base/rng.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"

// Seconds that one pass over the samples takes, 0 on error.
static double one_pass(const float *x, int64_t n, float *out, threads *pool, err *e)
{
    mel_settings s = {0};
    double start = hw_seconds();
    const feature_def *d = feature_find("mel", e);
    if (!d || !mel_set(&s, "preset", "librosa", e) || !mel_set(&s, "sample_rate", "44100", e) ||
        !mel_resolve(&s, e))
        return 0;
    feature *f = feature_open(d, &s, e);
    bool ok = f && feature_compute(f, x, n, out, pool, e);
    feature_close(f);
    return ok ? hw_seconds() - start : 0;
}

double mel_bench(threads *pool, double seconds, int tries, err *e)
{
    int64_t n = (int64_t)(seconds * 44100);
    size_t samples = (size_t)n * sizeof(float),
           frames = ((size_t)n / 512 + 1) * 128 * sizeof(float);
    float *x = base_pages(samples), *out = base_pages(frames);
    rng noise = rng_stream(0, "mel bench", 0);
    double best = 0;
    if (!x || !out) {
        err_set(e, ERR_MEMORY, "no memory for %g seconds of audio; ask for fewer", seconds);
    } else {
        for (int64_t i = 0; i < n; i++)
            x[i] = 0.2f * rng_uniform(noise, 0, (uint32_t)i) - 0.1f;
        for (int i = 0; i < tries; i++) {
            double took = one_pass(x, n, out, pool, e);
            best = took > 0 && seconds / took > best ? seconds / took : best;
        }
    }
    base_pages_free(x, samples);
    base_pages_free(out, frames);
    return best;
}
