// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_onednn.h: oneDNN's functions as gemm_onednn.c calls them: of version 2 or 3, whichever its
// headers were of. A matrix's description is a struct in version 2; in version 3 it stands behind a
// pointer, and a product needs none of its own.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_ONEDNN_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR != 2 && DNNL_VERSION_MAJOR != 3
#error "gemm_onednn.c is written for oneDNN 2 and 3; <oneapi/dnnl/dnnl.h> is of neither"
#endif

typedef struct onednn {
#define ONEDNN(name) __typeof__(dnnl_##name) *name;
#include "autograd/gemm/gemm_onednn.def"
#undef ONEDNN
    void (*set_threads)(int n); // NULL: there is no OpenMP
} onednn;

#if DNNL_VERSION_MAJOR == 2
typedef const dnnl_memory_desc_t *onednn_described;
#define ONEDNN_DESCRIBED(d) (&(d))

static inline dnnl_status_t onednn_matrix(const onednn *f, dnnl_memory_desc_t *d,
                                          const dnnl_dims_t size, const dnnl_dims_t step,
                                          dnnl_data_type_t type)
{
    return f->memory_desc_init_by_strides(d, 2, size, type, step);
}

static inline dnnl_status_t onednn_forget(const onednn *f, dnnl_memory_desc_t *d)
{
    (void)f, (void)d;
    return dnnl_success;
}

// A product is added to what stands there.
static inline dnnl_status_t onednn_add(const onednn *f, dnnl_post_ops_t to)
{
    return f->post_ops_append_sum(to, 1.0f);
}

// c = a b
static inline dnnl_status_t onednn_matmul(const onednn *f, dnnl_primitive_desc_t *made,
                                          dnnl_engine_t engine, onednn_described a,
                                          onednn_described b, onednn_described c,
                                          dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t s = f->matmul_desc_init(&d, a, b, NULL, c);
    return s == dnnl_success ? f->primitive_desc_create(made, &d, attr, engine, NULL) : s;
}
#else
typedef const_dnnl_memory_desc_t onednn_described;
#define ONEDNN_DESCRIBED(d) (d)

static inline dnnl_status_t onednn_matrix(const onednn *f, dnnl_memory_desc_t *d,
                                          const dnnl_dims_t size, const dnnl_dims_t step,
                                          dnnl_data_type_t type)
{
    return f->memory_desc_create_with_strides(d, 2, size, type, step);
}

static inline dnnl_status_t onednn_forget(const onednn *f, dnnl_memory_desc_t *d)
{
    return f->memory_desc_destroy(*d);
}

static inline dnnl_status_t onednn_add(const onednn *f, dnnl_post_ops_t to)
{
    return f->post_ops_append_sum(to, 1.0f, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t onednn_matmul(const onednn *f, dnnl_primitive_desc_t *made,
                                          dnnl_engine_t engine, onednn_described a,
                                          onednn_described b, onednn_described c,
                                          dnnl_primitive_attr_t attr)
{
    return f->matmul_primitive_desc_create(made, engine, a, b, NULL, c, attr);
}
#endif

#endif
