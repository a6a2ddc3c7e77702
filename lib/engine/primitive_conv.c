/* Convolutions in oneDNN's terms: activations NHWC, weights in the layout that the implementation
 * likes. */
#include "engine/primitive_internal.h"

/* The layouts of a convolution's operands. */
typedef struct ConvLayouts {
    Layout src, weights, bias, dst;
} ConvLayouts;

static ConvLayouts conv_layouts(const Product *product)
{
    const ConvShape *s = &product->conv;
    const dnnl_dims_t src = {s->n, s->in_channels, s->in_height, s->in_width};
    const dnnl_dims_t dst = {s->n, s->out_channels, s->out_height, s->out_width};
    const dnnl_dims_t weights = {s->out_channels, s->in_channels, conv_kernel_height(s),
                                 conv_kernel_width(s)};
    const dnnl_dims_t bias = {s->out_channels};
    const DType weights_type = product->pass == CONV_BACKWARD_WEIGHTS ? DTYPE_F32 : product->type;
    return (ConvLayouts){
        .src = layout_by_tag(4, src, primitive_type(product->type), dnnl_nhwc),
        .dst = layout_by_tag(4, dst, primitive_type(product->dst_type), dnnl_nhwc),
        .weights = layout_by_tag(4, weights, primitive_type(weights_type), dnnl_format_tag_any),
        .bias = layout_by_tag(1, bias, dnnl_f32, dnnl_a),
    };
}

static void conv_layouts_free(ConvLayouts *l)
{
    layout_free(l->src);
    layout_free(l->weights);
    layout_free(l->bias);
    layout_free(l->dst);
}

static dnnl_status_t describe(dnnl_primitive_desc_t *description, const Product *product,
                              dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint,
                              const ConvLayouts *l, ImplementationFilter filter, Error *error)
{
    static const dnnl_prop_kind_t kinds[] = {[CONV_FORWARD] = dnnl_forward_training,
                                             [CONV_BACKWARD_DATA] = dnnl_backward_data,
                                             [CONV_BACKWARD_WEIGHTS] = dnnl_backward_weights};
    const ConvShape *s = &product->conv;
    const ConvDescription conv = {
        .pass = kinds[product->pass],
        .src = l->src,
        .weights = l->weights,
        .bias = l->bias,
        .dst = l->dst,
        .strides = {s->stride, s->stride},
        .pad_begin = {conv_pad_above(s), conv_pad_left(s)},
        .pad_end = {s->span == CONV_ROW ? 0 : s->pad_end, s->span == CONV_COLUMN ? 0 : s->pad_end}};
    dnnl_engine_t engine;
    if (!primitive_engine(&engine, error))
        return dnnl_runtime_error;
    return describe_convolution(description, engine, &conv, hint, attributes, filter);
}

static bool accept_any(const void *context, const char *name)
{
    (void)context;
    (void)name;
    return true;
}

/* The description of the forward pass that the backward ones ask for. */
static dnnl_status_t describe_hint(dnnl_primitive_desc_t *hint, const Product *product,
                                   Error *error)
{
    Product forward = *product;
    forward.pass = CONV_FORWARD;
    ConvLayouts layouts = conv_layouts(&forward);
    dnnl_status_t status = describe(hint, &forward, NULL, NULL, &layouts,
                                    (ImplementationFilter){accept_any, NULL}, error);
    conv_layouts_free(&layouts);
    return status;
}

static Outcome describe_candidate(Primitive *p, const Candidate *candidate, Error *error)
{
    const Product *product = &p->product;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t hint = NULL;
    ConvLayouts layouts = conv_layouts(product);
    dnnl_status_t status = primitive_attributes(&attributes);
    if (status == dnnl_success && product->added)
        status = primitive_append_added(attributes, layouts.dst, candidate->in_place);
    if (status == dnnl_success && product->pass != CONV_FORWARD)
        status = describe_hint(&hint, product, error);
    if (status == dnnl_success)
        status = describe(&p->description, product, attributes, hint, &layouts,
                          primitive_filter(candidate), error);
    if (candidate->in_place)
        p->copied_bytes = dnnl_memory_desc_get_size(layouts.dst);
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attributes);
    conv_layouts_free(&layouts);
    return primitive_outcome(status, "convolution", error);
}

/* Slots of each pass: the gradient of an operand takes the operand's place. */
static Outcome finish(Primitive *p, bool added, Error *error)
{
    switch (p->product.pass) {
    case CONV_FORWARD: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_BIAS, OPERAND_DST,
                                    OPERAND_ADDED};
        const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                                 DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1};
        return primitive_finish(p, operands, arguments, added ? 5 : 4, error);
    }
    case CONV_BACKWARD_DATA: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_DST};
        const int arguments[] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST};
        return primitive_finish(p, operands, arguments, 3, error);
    }
    default: {
        const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_BIAS, OPERAND_DST};
        const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS,
                                 DNNL_ARG_DIFF_DST};
        return primitive_finish(p, operands, arguments, 4, error);
    }
    }
}

Outcome primitive_build_conv(Primitive *p, const Candidate *candidate, Error *error)
{
    const ConvShape *s = &p->product.conv;
    const int64_t width = conv_kernel_width(s), area = conv_kernel_height(s) * width;
    const int64_t plain[] = {s->in_channels * area, area, width, 1};
    const int weights =
        p->product.pass == CONV_BACKWARD_WEIGHTS ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
    Outcome outcome = describe_candidate(p, candidate, error);
    if (outcome == OUTCOME_DONE)
        outcome = finish(p, p->product.added && !candidate->in_place, error);
    return outcome == OUTCOME_DONE ? primitive_plan_weights(p, weights, plain, error) : outcome;
}
