/* One interface to oneDNN 2.x and 3.x, for primitive_*.c alone.
 *
 * Version 3 has no operation descriptors, keeps memory descriptors behind a handle that has to be
 * destroyed, and has renamed the functions that make them. Here both look like version 3.
 */
#pragma once

#include "engine/blocked.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

/* A memory descriptor: shape, type and order of a tensor in memory. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Layout;
typedef const_dnnl_memory_desc_t ConstLayout;
#define NO_MORE_IMPLEMENTATIONS dnnl_last_impl_reached
#else
typedef dnnl_memory_desc_t *Layout;
typedef const dnnl_memory_desc_t *ConstLayout;
#define NO_MORE_IMPLEMENTATIONS dnnl_iterator_ends
#endif

/* All return NULL when the library refuses; layout_free takes NULL. */
Layout layout_by_tag(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag);
Layout layout_by_strides(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides);
void layout_free(Layout layout);

/* The same layout in our own terms. False where the library does not say where elements lie. */
bool layout_blocked(ConstLayout layout, BlockedLayout *result);

/* A convolution: for a backward pass, src, weights, bias and dst stand for the gradients that it
 * reads or writes, and `hint` is a description of the forward pass. */
typedef struct ConvDescription {
    /* Forward, backward_data or backward_weights. */
    dnnl_prop_kind_t pass;
    ConstLayout src, weights, bias, dst;
    dnnl_dims_t strides, pad_begin, pad_end;
} ConvDescription;

/* "oneDNN 2.6.3", the library that is linked. */
const char *onednn_name(void);

/* Which implementation is meant: the first that `accepts`, by its name, in the library's order of
 * preference. That order is no identity: what was made before comes first, in version 2. */
typedef struct ImplementationFilter {
    bool (*accepts)(const void *context, const char *name);
    const void *context;
} ImplementationFilter;

/* Where no implementation is accepted, the status is NO_MORE_IMPLEMENTATIONS. */
dnnl_status_t describe_convolution(dnnl_primitive_desc_t *result, dnnl_engine_t engine,
                                   const ConvDescription *conv, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attributes, ImplementationFilter filter);
dnnl_status_t describe_matmul(dnnl_primitive_desc_t *result, dnnl_engine_t engine, ConstLayout src,
                              ConstLayout weights, ConstLayout bias, ConstLayout dst,
                              dnnl_primitive_attr_t attributes, ImplementationFilter filter);

/* "jit:avx512_core"; "unknown" where the library does not say. */
const char *implementation_name(const_dnnl_primitive_desc_t description);

/* dst += what it held, times 1. */
dnnl_status_t post_ops_append_sum(dnnl_post_ops_t post_ops);
