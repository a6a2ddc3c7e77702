/* Matrix products in oneDNN's terms. */
#include "engine/primitive_internal.h"

#include <assert.h>

/* A batch of one is a plain matrix product, which has faster implementations. */
static int matmul_rank(const MatmulShape *s)
{
    return s->batch == 1 ? 2 : 3;
}

static Layout matrix_layout(const MatmulShape *s, int64_t rows, int64_t columns, DType type,
                            int64_t batch_stride, int64_t row_stride, int64_t column_stride)
{
    const dnnl_dims_t dims = {s->batch, rows, columns};
    const dnnl_dims_t strides = {batch_stride, row_stride, column_stride};
    const int rank = matmul_rank(s), skip = 3 - rank;
    return layout_by_strides(rank, dims + skip, primitive_type(type), strides + skip);
}

static dnnl_status_t describe(Primitive *p, const Candidate *candidate,
                              dnnl_primitive_attr_t attributes, dnnl_engine_t engine)
{
    const MatmulShape *s = &p->product.matmul;
    const dnnl_dims_t b_dims = {s->k, s->n}, bias_dims = {1, 1, s->n};
    const int rank = matmul_rank(s);
    assert(!s->b_packed || rank == 2);
    Layout a = matrix_layout(s, s->m, s->k, s->a_type, s->a_batch, s->a_row, s->a_column);
    Layout b = s->b_packed
                   ? layout_by_tag(2, b_dims, primitive_type(s->b_type), dnnl_format_tag_any)
                   : matrix_layout(s, s->k, s->n, s->b_type, s->b_batch, s->b_row, s->b_column);
    Layout c = matrix_layout(s, s->m, s->n, s->c_type, s->c_batch, s->c_row, 1);
    Layout bias = s->bias ? layout_by_tag(rank, bias_dims + 3 - rank, dnnl_f32,
                                          rank == 2 ? dnnl_ab : dnnl_abc)
                          : NULL;
    dnnl_status_t status =
        s->accumulate ? primitive_append_added(attributes, c, true) : dnnl_success;
    if (status == dnnl_success)
        status = describe_matmul(&p->description, engine, a, b, bias, c, attributes,
                                 primitive_filter(candidate));
    layout_free(a);
    layout_free(b);
    layout_free(c);
    layout_free(bias);
    return status;
}

Outcome primitive_build_matmul(Primitive *p, const Candidate *candidate, Error *error)
{
    static const Operand operands[] = {OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_DST, OPERAND_BIAS};
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    const MatmulShape *s = &p->product.matmul;
    const int64_t plain[] = {s->b_row, s->b_column};
    dnnl_engine_t engine;
    if (!primitive_engine(&engine, error))
        return OUTCOME_FAILED;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = primitive_attributes(&attributes);
    if (status == dnnl_success)
        status = describe(p, candidate, attributes, engine);
    dnnl_primitive_attr_destroy(attributes);
    Outcome outcome = primitive_outcome(status, "matrix product", error);
    if (outcome == OUTCOME_DONE)
        outcome = primitive_finish(p, operands, arguments, s->bias ? 4 : 3, error);
    return outcome == OUTCOME_DONE && s->b_packed
               ? primitive_plan_weights(p, DNNL_ARG_WEIGHTS, plain, error)
               : outcome;
}
