// SPDX-License-Identifier: GPL-3.0-or-later
// info.c: what this program was built with and what it found on this machine: the first thing to
// attach to a bug report.
#include "cmd/info.h"
#include "autograd/gemm/gemm.h"
#include "base/comm.h"
#include "base/config.h"
#include "base/digest.h"
#include "base/h5.h"
#include "base/hw.h"
#include "base/regex.h"
#include "base/variant.h"
#include "base/version.h"
#include "data/audio/clip.h"
#include "data/audio/fft.h"
#include "data/audio/resample.h"
#include "data/audio/stretch.h"
#include "data/midi/midi.h"
#include "export/archive.h"
#include "export/onnx_file.h"
#include "net/http.h"
#include "serve/http/web.h"
#include "speech/speech.h"

// Of runs that several processes share.
static const char *mpi_version(void)
{
    return comm_library() ? comm_library() : "none (make MPI=1)";
}

// Libraries as they call themselves; those of the matrix products: gemm.h.
static const struct {
    const char *name;
    const char *(*version)(void);
} libraries[] = {{"hdf5", h5_library},
                 {"sndfile", clip_library},
                 {"smf", midi_library},
                 {"soxr", resample_library},
                 {"rubberband", stretch_library},
                 {"fftw", fft_library},
                 {"yaml", config_library},
                 {"jansson", json_library},
                 {"protobuf-c", onnx_protobuf_version},
                 {"hwloc", hw_library},
                 {"openssl", digest_library},
                 {"libzip", archive_library},
                 {"pcre2", regex_library},
                 {"curl", http_library},
                 {"microhttpd", web_library},
                 {"espeak-ng", speech_library},
                 {"mpi", mpi_version}};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

const char *info_library(int i, const char **version)
{
    if (i < 0 || i >= LIBRARIES)
        return NULL;
    *version = libraries[i].version();
    return libraries[i].name;
}

static void say_people(cmd *c, const hw *h, const char *products)
{
    char ram[32], limit[32], l2[32], l3[32];
    cmd_print(c, "kmidi      %s (%s)", KMIDI_VERSION, version_revision());
    cmd_print(c, "processor  %s", h->cpu);
    cmd_print(c, "cores      %d usable, %d package(s), %d memory node(s)", h->cores, h->packages,
              h->numa);
    cmd_print(c, "vectors    %s; kernels of width '%s'%s%s", h->isa, variant_name(variant_best()),
              h->avx512_bf16 ? "; AVX-512 bf16" : "", h->amx_bf16 ? "; AMX bf16" : "");
    cmd_print(c, "caches     L2 %s, L3 %s", str_human_bytes(h->l2, l2), str_human_bytes(h->l3, l3));
    cmd_print(c, "memory     %s, of which this process may use %s", str_human_bytes(h->memory, ram),
              str_human_bytes(h->memory_limit, limit));
    cmd_print(c, "products   %s", products);
    for (int i = 0; i < LIBRARIES; i++)
        cmd_print(c, "%-10s %s", libraries[i].name, libraries[i].version());
}

static json *describe(const hw *h, const char *products)
{
    json *j = json_object();
    json_set_str(j, "version", KMIDI_VERSION);
    json_set_str(j, "revision", version_revision());
    json_set_str(j, "cpu", h->cpu);
    json_set_str(j, "isa", h->isa);
    json_set_str(j, "kernels", variant_name(variant_best()));
    json_set_bool(j, "avx512_bf16", h->avx512_bf16);
    json_set_bool(j, "amx_bf16", h->amx_bf16);
    json_set_int(j, "cores", h->cores);
    json_set_int(j, "packages", h->packages);
    json_set_int(j, "numa", h->numa);
    json_set_int(j, "l2_bytes", (int64_t)h->l2);
    json_set_int(j, "l3_bytes", (int64_t)h->l3);
    json_set_int(j, "memory_bytes", (int64_t)h->memory);
    json_set_int(j, "memory_limit_bytes", (int64_t)h->memory_limit);
    json_set_str(j, "gemm", products);
    json *l = json_object();
    for (int i = 0; i < LIBRARIES; i++)
        json_set_str(l, libraries[i].name, libraries[i].version());
    json_set(j, "libraries", l);
    return j;
}

static const option options[] = {
    {"capacity", 0, OPT_FLAG, NULL,
     "which configurations and batches fit machines of 16, 24 and 48 GB, how fast", false},
    {0},
};

static bool about(cmd *c, err *e)
{
    hw h;
    char products[128];
    gemm_ways ways;
    if (!gemm_choose(&ways, e))
        return false;
    hw_read(&h);
    gemm_describe(&ways, products);
    say_people(c, &h, products);
    cmd_json(c, describe(&h, products));
    return true;
}

static bool run(cmd *c, err *e)
{
    if (option_given(c, "capacity"))
        return info_capacity(c, e);
    if (c->n_args || c->n_overrides)
        return err_set(e, ERR_USAGE, "'%s' goes with --capacity",
                       c->n_args ? c->args[0] : c->overrides[0]);
    return about(c, e);
}

const command cmd_info = {
    .name = "info",
    .summary = "Shows versions, libraries, processor, memory; what fits which machine",
    .usage = "[--capacity [CONFIG ...] [key=value ...]]",
    .options = options,
    .args_max = -1,
    .keys = cmd_train_keys,
    .polls_stop = true,
    .details = "--capacity plans every configuration that is shipped to train with (or those "
               "that are named) for 16, 24 and 48 GB, alone and beside a language model "
               "(docs/memory.md): whether its batch fits, steps/s on this processor, the "
               "largest batch that could be computed at once. Nothing is trained, no data are "
               "needed; what was not measured yet takes a few seconds a model, once. "
               "key=value holds for all of them.",
    .example = "kmidi info --json\nkmidi info --capacity\n"
               "kmidi info --capacity emotion_midi_transformer data.window=1024",
    .run = run,
};
