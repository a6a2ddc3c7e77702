#include "nn/onednn.h"

#include "base/memory.h"

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

dnnl_status_t describe_convolution(dnnl_primitive_desc_t *result, dnnl_engine_t engine,
                                   const ConvDescription *c, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attributes)
{
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    if (c->pass == dnnl_backward_data)
        return dnnl_convolution_backward_data_primitive_desc_create(
            result, engine, direct, c->src, c->weights, c->dst, c->strides, NULL, c->pad_begin,
            c->pad_end, hint, attributes);
    if (c->pass == dnnl_backward_weights)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            result, engine, direct, c->src, c->weights, c->bias, c->dst, c->strides, NULL,
            c->pad_begin, c->pad_end, hint, attributes);
    return dnnl_convolution_forward_primitive_desc_create(
        result, engine, c->pass, direct, c->src, c->weights, c->bias, c->dst, c->strides, NULL,
        c->pad_begin, c->pad_end, attributes);
}

dnnl_status_t describe_matmul(dnnl_primitive_desc_t *result, dnnl_engine_t engine, ConstLayout src,
                              ConstLayout weights, ConstLayout bias, ConstLayout dst,
                              dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(result, engine, src, weights, bias, dst, attributes);
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

dnnl_status_t describe_convolution(dnnl_primitive_desc_t *result, dnnl_engine_t engine,
                                   const ConvDescription *c, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attributes)
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
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(result, &operation, attributes, engine, hint);
}

dnnl_status_t describe_matmul(dnnl_primitive_desc_t *result, dnnl_engine_t engine, ConstLayout src,
                              ConstLayout weights, ConstLayout bias, ConstLayout dst,
                              dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, src, weights, bias, dst);
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(result, &operation, attributes, engine, NULL);
}

dnnl_status_t post_ops_append_sum(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_sum(post_ops, 1.0f);
}

#endif
