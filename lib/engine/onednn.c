/* The two versions of each function side by side: version 3 first, version 2 after it. */
#include "engine/onednn.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

const char *implementation_name(const_dnnl_primitive_desc_t description)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) != dnnl_success)
        return "unknown";
    return name;
}

/* Copies what both versions say about a layout; `inner` are counts of oneDNN's own type. */
static bool fill_blocked(BlockedLayout *result, int rank, const dnnl_dim_t *dims,
                         const dnnl_dim_t *padded, const dnnl_dim_t *strides, int inner_count,
                         const dnnl_dim_t *inner_blocks, const dnnl_dim_t *inner_dims,
                         dnnl_data_type_t type, size_t bytes)
{
    if (rank > BLOCKED_RANK || inner_count > BLOCKED_INNER ||
        (type != dnnl_f32 && type != dnnl_bf16))
        return false;
    *result = (BlockedLayout){.rank = rank,
                              .type = type == dnnl_f32 ? DTYPE_F32 : DTYPE_BF16,
                              .inner_count = inner_count,
                              .bytes = bytes};
    for (int d = 0; d < rank; d++) {
        result->dims[d] = dims[d];
        result->padded[d] = padded[d];
        result->strides[d] = strides[d];
    }
    for (int i = 0; i < inner_count; i++) {
        result->inner_block[i] = inner_blocks[i];
        result->inner_dim[i] = (int)inner_dims[i];
    }
    return true;
}

#if DNNL_VERSION_MAJOR >= 3

Layout layout_by_tag(int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    Layout layout = NULL;
    dnnl_memory_desc_create_with_tag(&layout, rank, dims, type, tag);
    return layout;
}

Layout layout_by_strides(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides)
{
    Layout layout = NULL;
    dnnl_memory_desc_create_with_strides(&layout, rank, dims, type, strides);
    return layout;
}

void layout_free(Layout layout)
{
    dnnl_memory_desc_destroy(layout);
}

static bool query(ConstLayout layout, dnnl_query_t what, void *result)
{
    return dnnl_memory_desc_query(layout, what, result) == dnnl_success;
}

bool layout_blocked(ConstLayout layout, BlockedLayout *result)
{
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_data_type_t type = dnnl_data_type_undef;
    const dnnl_dims_t *dims, *padded, *strides, *inner_blocks, *inner_dims;
    int rank = 0, inner_count = 0;
    return query(layout, dnnl_query_format_kind, &kind) && kind == dnnl_blocked &&
           query(layout, dnnl_query_ndims_s32, &rank) && query(layout, dnnl_query_dims, &dims) &&
           query(layout, dnnl_query_data_type, &type) &&
           query(layout, dnnl_query_padded_dims, &padded) &&
           query(layout, dnnl_query_strides, &strides) &&
           query(layout, dnnl_query_inner_nblks_s32, &inner_count) &&
           query(layout, dnnl_query_inner_blks, &inner_blocks) &&
           query(layout, dnnl_query_inner_idxs, &inner_dims) &&
           fill_blocked(result, rank, *dims, *padded, *strides, inner_count, *inner_blocks,
                        *inner_dims, type, dnnl_memory_desc_get_size(layout));
}

/* Advances a description, which `status` says was made, to the first implementation that is
 * accepted. */
static dnnl_status_t advance(dnnl_primitive_desc_t description, dnnl_status_t status,
                             ImplementationFilter filter)
{
    while (status == dnnl_success &&
           !filter.accepts(filter.context, implementation_name(description)))
        status = dnnl_primitive_desc_next_impl(description);
    return status;
}

dnnl_status_t describe_convolution(dnnl_primitive_desc_t *result, dnnl_engine_t engine,
                                   const ConvDescription *c, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attributes, ImplementationFilter filter)
{
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_status_t status;
    if (c->pass == dnnl_backward_data)
        status = dnnl_convolution_backward_data_primitive_desc_create(
            result, engine, direct, c->src, c->weights, c->dst, c->strides, NULL, c->pad_begin,
            c->pad_end, hint, attributes);
    else if (c->pass == dnnl_backward_weights)
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            result, engine, direct, c->src, c->weights, c->bias, c->dst, c->strides, NULL,
            c->pad_begin, c->pad_end, hint, attributes);
    else
        status = dnnl_convolution_forward_primitive_desc_create(
            result, engine, c->pass, direct, c->src, c->weights, c->bias, c->dst, c->strides, NULL,
            c->pad_begin, c->pad_end, attributes);
    return advance(*result, status, filter);
}

dnnl_status_t describe_matmul(dnnl_primitive_desc_t *result, dnnl_engine_t engine, ConstLayout src,
                              ConstLayout weights, ConstLayout bias, ConstLayout dst,
                              dnnl_primitive_attr_t attributes, ImplementationFilter filter)
{
    dnnl_status_t status =
        dnnl_matmul_primitive_desc_create(result, engine, src, weights, bias, dst, attributes);
    return advance(*result, status, filter);
}

dnnl_status_t post_ops_append_sum(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_sum(post_ops, 1.0f, 0, dnnl_data_type_undef);
}

#else

Layout layout_by_tag(int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    Layout layout = memory_small(1, sizeof *layout);
    if (dnnl_memory_desc_init_by_tag(layout, rank, dims, type, tag) == dnnl_success)
        return layout;
    memory_free(layout);
    return NULL;
}

Layout layout_by_strides(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides)
{
    Layout layout = memory_small(1, sizeof *layout);
    if (dnnl_memory_desc_init_by_strides(layout, rank, dims, type, strides) == dnnl_success)
        return layout;
    memory_free(layout);
    return NULL;
}

void layout_free(Layout layout)
{
    memory_free(layout);
}

bool layout_blocked(ConstLayout layout, BlockedLayout *result)
{
    const dnnl_blocking_desc_t *blocking = &layout->format_desc.blocking;
    return layout->format_kind == dnnl_blocked && layout->extra.flags == 0 &&
           layout->offset0 == 0 &&
           fill_blocked(result, layout->ndims, layout->dims, layout->padded_dims, blocking->strides,
                        blocking->inner_nblks, blocking->inner_blks, blocking->inner_idxs,
                        layout->data_type, dnnl_memory_desc_get_size(layout));
}

/* The description that an iterator stands on, if it is accepted; else NULL. */
static dnnl_primitive_desc_t accepted(dnnl_primitive_desc_iterator_t iterator,
                                      ImplementationFilter filter)
{
    dnnl_primitive_desc_t description = dnnl_primitive_desc_iterator_fetch(iterator);
    if (description && filter.accepts(filter.context, implementation_name(description)))
        return description;
    dnnl_primitive_desc_destroy(description);
    return NULL;
}

static dnnl_status_t describe(dnnl_primitive_desc_t *result, const_dnnl_op_desc_t operation,
                              dnnl_primitive_attr_t attributes, dnnl_engine_t engine,
                              dnnl_primitive_desc_t hint, ImplementationFilter filter)
{
    dnnl_primitive_desc_iterator_t iterator = NULL;
    dnnl_status_t status =
        dnnl_primitive_desc_iterator_create(&iterator, operation, attributes, engine, hint);
    while (status == dnnl_success && !(*result = accepted(iterator, filter)))
        status = dnnl_primitive_desc_iterator_next(iterator);
    dnnl_primitive_desc_iterator_destroy(iterator);
    return status;
}

dnnl_status_t describe_convolution(dnnl_primitive_desc_t *result, dnnl_engine_t engine,
                                   const ConvDescription *c, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attributes, ImplementationFilter filter)
{
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_convolution_desc_t operation;
    dnnl_status_t status;
    if (c->pass == dnnl_backward_data)
        status = dnnl_convolution_backward_data_desc_init(
            &operation, direct, c->src, c->weights, c->dst, c->strides, c->pad_begin, c->pad_end);
    else if (c->pass == dnnl_backward_weights)
        status = dnnl_convolution_backward_weights_desc_init(&operation, direct, c->src, c->weights,
                                                             c->bias, c->dst, c->strides,
                                                             c->pad_begin, c->pad_end);
    else
        status = dnnl_convolution_forward_desc_init(&operation, c->pass, direct, c->src, c->weights,
                                                    c->bias, c->dst, c->strides, c->pad_begin,
                                                    c->pad_end);
    return status != dnnl_success ? status
                                  : describe(result, &operation, attributes, engine, hint, filter);
}

dnnl_status_t describe_matmul(dnnl_primitive_desc_t *result, dnnl_engine_t engine, ConstLayout src,
                              ConstLayout weights, ConstLayout bias, ConstLayout dst,
                              dnnl_primitive_attr_t attributes, ImplementationFilter filter)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, src, weights, bias, dst);
    return status != dnnl_success ? status
                                  : describe(result, &operation, attributes, engine, NULL, filter);
}

dnnl_status_t post_ops_append_sum(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_sum(post_ops, 1.0f);
}

#endif

const char *onednn_name(void)
{
    static char name[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(name, sizeof name, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    return name;
}
