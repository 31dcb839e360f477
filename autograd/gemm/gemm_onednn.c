// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_onednn.c: oneDNN's sgemm (dnnl_sgemm of dnnl.h,
// https://oneapi-src.github.io/oneDNN/v2.6/dev_guide_matmul.html).
//
// The only file that knows oneDNN, of version 2 or 3 (gemm_onednn.h). It is opened where something
// is chosen to multiply, not linked (base/library.h): with what stands behind it, OpenMP's library
// among that, it would cost every command its loading. Its C function is row-major. It takes as
// many threads as OpenMP would give to a parallel region of the caller, so each of our threads says
// "one" before its call: an OpenMP setting of the calling thread, not of the process. Code for this
// CPU is generated at the first product (25 ms, once for all sizes). Memory to pack into is taken
// from the C library in a call and given back at its end, the same sizes in every step: the only
// memory that a training step takes, and it does not grow.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_library.h"
#include "autograd/gemm/gemm_onednn.h"
#include "base/arena.h"
#include "base/hw.h"
#include "base/library.h"
#include "base/room.h"
#include "base/variant.h"

// Of address space: its file and those behind it; its generated code and tables; what a thread
// packs into, and the C library's heap for it.
static const uint64_t LIBRARY_BYTES = (uint64_t)64 << 20, CODE_BYTES = (uint64_t)24 << 20,
                      THREAD_BYTES = (uint64_t)16 << 20;

static const library_function functions[] = {
#define ONEDNN(name) {"dnnl_" #name, offsetof(onednn, name)},
#include "autograd/gemm/gemm_onednn.def"
#undef ONEDNN
};
// Of whichever OpenMP library stands behind it (GNU's, LLVM's, Intel's); Homebrew's has none.
static const library_function openmp_functions[] = {
    {"omp_set_num_threads", offsetof(onednn, set_threads)}};
#define TEXT(x)  #x
#define DIGIT(x) TEXT(x)
#define FILES    LIBRARY_FILES("dnnl", DIGIT(DNNL_VERSION_MAJOR))
static const library libdnnl = {"onednn", FILES, functions, sizeof functions / sizeof *functions},
                     libdnnl_openmp = {"onednn", FILES, openmp_functions, 1};

// Each found or made once, before its first use.
static struct {
    onednn f;
    err missing; // why it is not here
    bool is_here;
    double dots;          // gemm_bf16_dots, of which its kernels are made; 0: not of such a CPU
    dnnl_engine_t engine; // of products of bf16, as is the key
    pthread_key_t of_thread;
    pthread_once_t loaded, of_bf16;
} lib = {.loaded = PTHREAD_ONCE_INIT, .of_bf16 = PTHREAD_ONCE_INIT};

// ---- Loading

// Who wants kernels for a smaller CPU (KMIDI_ISA) gets no larger ones of its either, unless its own
// variable says which; SSE4.1 is the least that it makes code for.
static void lower(void)
{
    static const dnnl_cpu_isa_t most[VARIANT_COUNT] = {
        [VARIANT_BASE] = dnnl_cpu_isa_sse41, [VARIANT_V3] = dnnl_cpu_isa_avx2}; // 0: all
    if (variant_lowered() && !getenv("ONEDNN_MAX_CPU_ISA") && !getenv("DNNL_MAX_CPU_ISA"))
        lib.f.set_max_cpu_isa(most[variant_best()]);
}

static bool has(dnnl_cpu_isa_t isa)
{
    return (lib.f.get_effective_cpu_isa() & isa) == isa;
}

static void load(void)
{
    lib.is_here = library_open(&libdnnl, &lib.f, &lib.missing);
    if (!lib.is_here)
        return;
    if (!library_open(&libdnnl_openmp, &lib.f, NULL))
        lib.f.set_threads = NULL;
    lower();
    lib.dots = has(dnnl_cpu_isa_avx512_core_bf16) ? gemm_bf16_dots() : 0;
}

static uint64_t onednn_need(int count)
{
    return CODE_BYTES + (uint64_t)count * THREAD_BYTES;
}

static bool onednn_load(err *e)
{
    pthread_once(&lib.loaded, load);
    if (lib.is_here)
        return true;
    if (room_read().left < LIBRARY_BYTES)
        return room_refuse(e, "onednn", LIBRARY_BYTES + onednn_need(hw_cores()), ROOM_OF_A_RUN);
    return err_set(
        e, ERR_MISSING,
        "%s; its package is libdnnl" DIGIT(DNNL_VERSION_MAJOR) " (Debian), onednn (Homebrew)",
        lib.missing.text);
}

// ---- Products of f32

static void product(const gemm *p)
{
    dnnl_status_t s = lib.f.sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1.0f,
                                  p->a, p->lda, p->b, p->ldb, p->beta, p->c, p->ldc);
    if (s == dnnl_out_of_memory)
        base_checked(NULL, THREAD_BYTES);
    CHECK(s == dnnl_success);
}

// A transposed A is packed a few of our columns at a time. Where its rows are a multiple of 4 KiB
// apart, all those pieces fall into the same cache set and every line is read several times: 195
// GFLOP/s of 252 on a Zen 5 core. Copied first to rows that lie otherwise: 225. At 2 KiB, of either
// side, it is as bad on a Cascade Lake core: 79 GFLOP/s, copied 110.
enum { BAD_STRIDE = 512, COPY_M = 128, COPY_K = 512, COPY_LD = COPY_M + 16 };

static void product_by_copies(const gemm *p)
{
    _Alignas(64) float copy[COPY_K * COPY_LD];
    for (int64_t k = 0; k < p->k; k += COPY_K)
        for (int64_t m = 0; m < p->m; m += COPY_M) {
            gemm q = *p;
            q.m = p->m - m < COPY_M ? p->m - m : COPY_M;
            q.k = p->k - k < COPY_K ? p->k - k : COPY_K;
            for (int64_t i = 0; i < q.k; i++)
                memcpy(copy + i * COPY_LD, p->a + (k + i) * p->lda + m, (size_t)q.m * sizeof *copy);
            q.a = copy, q.lda = COPY_LD;
            q.b += k * (p->tb ? 1 : p->ldb);
            q.c += m * p->ldc;
            q.beta = k > 0 ? 1.0f : p->beta;
            product(&q);
        }
}

static void one_thread(void)
{
    if (lib.f.set_threads)
        lib.f.set_threads(1);
}

static void onednn_serial(const gemm *p)
{
    one_thread();
    if (p->ta && (p->lda % BAD_STRIDE == 0 || p->ldb % BAD_STRIDE == 0) && p->n >= 64 && p->k >= 32)
        product_by_copies(p);
    else
        product(p);
}

// Its code is made with the first products of each kind, and an exception out of that ends the
// process: so here, where there is room.
static bool onednn_reserve(int count)
{
    enum { SIDE = 64 };
    static const int rows[] = {SIDE, 1, SIDE}, cols[] = {SIDE, SIDE, 1};
    static const float a[SIDE * SIDE], b[SIDE * SIDE];
    float c[SIDE * SIDE] = {0};
    (void)count;
    for (int i = 0; i < 3 * 8; i++) {
        gemm p = {.ta = i & 1,
                  .tb = i & 2,
                  .m = rows[i / 8],
                  .n = cols[i / 8],
                  .k = SIDE,
                  .a = a,
                  .b = b,
                  .c = c,
                  .beta = i & 4 ? 1 : 0};
        p = gemm_dense(p);
        onednn_serial(&p);
    }
    return true;
}

static const char *isa_name(void)
{
    return has(dnnl_cpu_isa_avx512_core) ? "avx512"
           : has(dnnl_cpu_isa_avx2)      ? "avx2"
           : has(dnnl_cpu_isa_sse41)     ? "sse41"
                                         : "other";
}

static void onednn_describe(char *out, size_t size)
{
    if (!onednn_load(NULL)) {
        snprintf(out, size, "no onednn");
        return;
    }
    const dnnl_version_t *v = lib.f.version();
    snprintf(out, size, "onednn %d.%d.%d (%s)", v->major, v->minor, v->patch, isa_name());
}

// Its kernel of 48 x 8 is column-major: 48 of our columns, 8 of our rows.
const gemm_library gemm_library_onednn = {
    .name = "onednn",
    .tile_m = 8,
    .tile_n = 48,
    .load = onednn_load,
    .need = onednn_need,
    .reserve = onednn_reserve,
    .serial = onednn_serial,
    .describe = onednn_describe,
};

// ---- Products of bf16

// oneDNN's matmul primitive, made once for each shape and thread: what it works in belongs to the
// thread that made it, and it remembers how many threads it had. A thread's list goes when the
// thread does.

typedef struct matmul_shape {
    dnnl_dims_t a, b, c; // sizes
    dnnl_dims_t a_step, b_step, c_step;
    bool add;
} matmul_shape;

typedef struct matmul_made {
    matmul_shape shape;
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c; // of which only the addresses change
    struct matmul_made *next;
} matmul_made;

typedef struct matmul_thread {
    dnnl_stream_t stream;
    matmul_made *first;
} matmul_thread;

static void must(dnnl_status_t s)
{
    CHECK(s == dnnl_success);
}

static void thread_ends(void *arg)
{
    matmul_thread *t = arg;
    for (matmul_made *m = t->first, *next; m; m = next) {
        next = m->next;
        must(lib.f.primitive_destroy(m->primitive));
        must(lib.f.memory_destroy(m->a)), must(lib.f.memory_destroy(m->b)),
            must(lib.f.memory_destroy(m->c));
        free(m);
    }
    must(lib.f.stream_destroy(t->stream));
    free(t);
}

static void bf16_begin(void)
{
    must(lib.f.engine_create(&lib.engine, dnnl_cpu, 0));
    CHECK(!pthread_key_create(&lib.of_thread, thread_ends));
}

static matmul_thread *this_thread(void)
{
    pthread_once(&lib.of_bf16, bf16_begin);
    matmul_thread *t = pthread_getspecific(lib.of_thread);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    CHECK(t && !pthread_setspecific(lib.of_thread, t));
    must(lib.f.stream_create(&t->stream, lib.engine, dnnl_stream_default_flags));
    return t;
}

static dnnl_memory_desc_t matrix(const dnnl_dims_t size, const dnnl_dims_t step,
                                 dnnl_data_type_t type)
{
    dnnl_memory_desc_t d;
    must(onednn_matrix(&lib.f, &d, size, step, type));
    return d;
}

static dnnl_memory_t memory_of(onednn_described d)
{
    dnnl_memory_t m;
    must(lib.f.memory_create(&m, d, lib.engine, DNNL_MEMORY_NONE));
    return m;
}

static matmul_made *make_matmul(const matmul_shape *s)
{
    dnnl_memory_desc_t a = matrix(s->a, s->a_step, dnnl_bf16),
                       b = matrix(s->b, s->b_step, dnnl_bf16),
                       c = matrix(s->c, s->c_step, dnnl_f32);
    dnnl_post_ops_t sum;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    matmul_made *m = calloc(1, sizeof *m);
    CHECK(m);
    m->shape = *s;
    must(lib.f.primitive_attr_create(&attr)), must(lib.f.post_ops_create(&sum));
    if (s->add)
        must(onednn_add(&lib.f, sum)), must(lib.f.primitive_attr_set_post_ops(attr, sum));
    must(onednn_matmul(&lib.f, &pd, lib.engine, ONEDNN_DESCRIBED(a), ONEDNN_DESCRIBED(b),
                       ONEDNN_DESCRIBED(c), attr));
    must(lib.f.primitive_create(&m->primitive, pd));
    m->a = memory_of(ONEDNN_DESCRIBED(a)), m->b = memory_of(ONEDNN_DESCRIBED(b));
    m->c = memory_of(ONEDNN_DESCRIBED(c));
    must(lib.f.primitive_desc_destroy(pd)), must(lib.f.post_ops_destroy(sum)),
        must(lib.f.primitive_attr_destroy(attr));
    must(onednn_forget(&lib.f, &a)), must(onednn_forget(&lib.f, &b)),
        must(onednn_forget(&lib.f, &c));
    return m;
}

static matmul_made *find_matmul(matmul_thread *t, const matmul_shape *s)
{
    for (matmul_made *m = t->first; m; m = m->next)
        if (!memcmp(&m->shape, s, sizeof *s))
            return m;
    matmul_made *m = make_matmul(s);
    m->next = t->first;
    return t->first = m;
}

void gemm_onednn_bf16(const gemm_bf16 *p)
{
    matmul_shape s;
    memset(&s, 0, sizeof s); // compared byte by byte
    s.a[0] = s.c[0] = p->m, s.a[1] = s.b[0] = p->k, s.b[1] = s.c[1] = p->n;
    s.a_step[!p->ta] = s.b_step[!p->tb] = s.c_step[1] = 1;
    s.a_step[p->ta] = p->lda, s.b_step[p->tb] = p->ldb, s.c_step[0] = p->ldc;
    s.add = p->beta != 0;
    one_thread();
    matmul_thread *t = this_thread();
    const matmul_made *m = find_matmul(t, &s);
    must(lib.f.memory_set_data_handle(m->a, (void *)(uintptr_t)p->a)),
        must(lib.f.memory_set_data_handle(m->b, (void *)(uintptr_t)p->b));
    must(lib.f.memory_set_data_handle(m->c, p->c));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, m->a}, {DNNL_ARG_WEIGHTS, m->b}, {DNNL_ARG_DST, m->c}};
    must(lib.f.primitive_execute(m->primitive, t->stream, 3, args));
}

bool gemm_onednn_has_bf16(void)
{
    hw h = {0};
    hw_read_bf16(&h); // a CPU without it opens no library to be told so
    return h.avx512_bf16 && onednn_load(NULL) && has(dnnl_cpu_isa_avx512_core_bf16);
}

bool gemm_onednn_bf16_pays(void)
{
    return gemm_onednn_has_bf16() && lib.dots >= GEMM_BF16_DOTS_LEAST;
}

bool gemm_onednn_takes_bf16(void)
{
    return onednn_load(NULL) && has(dnnl_cpu_isa_avx512_core);
}
