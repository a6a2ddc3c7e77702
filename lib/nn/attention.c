/* Self-attention over the pixels of an image, one head as wide as the channels.
 *
 *     forward   S = Q K',  P = softmax(S / sqrt(c)) row by row,  O = P V
 *     backward  dV = P' dO,  dP = dO V',  dS = P o (dP - rowsum(dP o P)) / sqrt(c),
 *               dQ = dS K,  dK = dS' Q
 *
 * Q, K and V are columns of one matrix [n, pixels, 3c]: the products read and write them in place
 * through strides. P is kept for the backward pass.
 */
#include "nn/op.h"

#include "base/memory.h"
#include "nn/activation.h"

#include <assert.h>
#include <math.h>

typedef struct AttentionOp {
    Op op; /* in[0]: qkv */
    int pixels, channels;
    Primitive *scores, *mix;                                   /* forward */
    Primitive *value_back, *prob_back, *query_back, *key_back; /* dV, dP, dQ, dK */
} AttentionOp;

/* A matrix operand: where its batch, rows and columns lie. */
typedef struct Matrix {
    int64_t batch, row, column;
} Matrix;

static Matrix transposed(Matrix m)
{
    return (Matrix){m.batch, m.column, m.row};
}

static bool product(Primitive **primitive, const AttentionOp *a, int m, int n, int k, Matrix left,
                    Matrix right, Matrix result, Error *error)
{
    DType type = a->op.out->type;
    MatmulShape shape = {.batch = a->op.out->n,
                         .m = m,
                         .n = n,
                         .k = k,
                         .a_batch = left.batch,
                         .a_row = left.row,
                         .a_column = left.column,
                         .b_batch = right.batch,
                         .b_row = right.row,
                         .b_column = right.column,
                         .c_batch = result.batch,
                         .c_row = result.row,
                         .a_type = type,
                         .b_type = type,
                         .c_type = type};
    return primitive_matmul(primitive, &shape, error);
}

static size_t largest_scratch(Primitive *const *primitives, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        if (primitive_scratch_bytes(primitives[i]) > bytes)
            bytes = primitive_scratch_bytes(primitives[i]);
    return memory_aligned(bytes);
}

static size_t probability_bytes(const AttentionOp *a)
{
    return (size_t)a->op.out->n * (size_t)a->pixels * (size_t)a->pixels * sizeof(float);
}

static bool attention_prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    const int t = a->pixels, c = a->channels;
    assert(!op->accumulate[0]); /* qkv is made for this operation and read by no other */
    const Matrix qkv = {(int64_t)t * 3 * c, 3 * c, 1}; /* Q, K or V; forward and gradient alike */
    const Matrix prob = {(int64_t)t * t, t, 1};
    const Matrix out = {(int64_t)t * c, c, 1};
    if (!product(&a->scores, a, t, t, c, qkv, transposed(qkv), prob, error) ||
        !product(&a->mix, a, t, c, t, prob, qkv, out, error))
        return false;
    Primitive *forward[] = {a->scores, a->mix};
    op->forward_scratch_bytes = largest_scratch(forward, 2);
    op->saved_bytes = probability_bytes(a);
    if (!op->backward)
        return true;

    if (!product(&a->value_back, a, t, c, t, transposed(prob), out, qkv, error) ||
        !product(&a->prob_back, a, t, t, c, out, transposed(qkv), prob, error) ||
        !product(&a->query_back, a, t, c, t, prob, qkv, qkv, error) ||
        !product(&a->key_back, a, t, c, t, transposed(prob), qkv, qkv, error))
        return false;
    Primitive *backward[] = {a->value_back, a->prob_back, a->query_back, a->key_back};
    op->backward_scratch_bytes = largest_scratch(backward, 4) + probability_bytes(a);
    op->reads_input[0] = true;
    return true;
}

/* The largest of a row, sixteen at a time: the compilers do not vectorise the plain loop. */
INLINED float largest_of(const float *row, size_t count)
{
    enum { LANES = 16 };
    float lanes[LANES], largest = row[0];
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++)
        lanes[j] = row[0];
    for (; i + LANES <= count; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = row[i + j] > lanes[j] ? row[i + j] : lanes[j];
    for (; i < count; i++)
        largest = row[i] > largest ? row[i] : largest;
    for (size_t j = 0; j < LANES; j++)
        largest = lanes[j] > largest ? lanes[j] : largest;
    return largest;
}

/* row := softmax(scale row), in place. */
VECTORISED static void softmax_row(float *row, size_t count, float scale)
{
    float largest = largest_of(row, count);
    for (size_t i = 0; i < count; i++)
        row[i] = fast_exp(scale * (row[i] - largest));
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += row[i];
    float inverse = 1.0f / sum;
    for (size_t i = 0; i < count; i++)
        row[i] *= inverse;
}

/* gradient (dP of a row) := scale P o (dP - sum(dP o P)). */
VECTORISED static void softmax_row_backward(float *restrict gradient, const float *restrict prob,
                                            size_t count, float scale)
{
    float dot = 0.0f;
#pragma omp simd reduction(+ : dot)
    for (size_t i = 0; i < count; i++)
        dot += gradient[i] * prob[i];
    for (size_t i = 0; i < count; i++)
        gradient[i] = scale * prob[i] * (gradient[i] - dot);
}

static bool run(Primitive *p, void *left, void *right, void *result, void *scratch, Error *error)
{
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = left, [OPERAND_WEIGHTS] = right, [OPERAND_DST] = result};
    return primitive_run(p, operands, scratch, error);
}

static bool attention_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    float *query = op->in[0]->data, *key = query + a->channels, *values = key + a->channels;
    float *prob = op->saved;
    if (!run(a->scores, query, key, prob, op->forward_scratch, error))
        return false;
    size_t row = (size_t)a->pixels, rows = (size_t)op->out->n * row;
    float scale = 1.0f / sqrtf((float)a->channels);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        softmax_row(prob + r * row, row, scale);
    return run(a->mix, prob, values, op->out->data, op->forward_scratch, error);
}

static bool attention_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    const int c = a->channels;
    float *query = op->in[0]->data, *key = query + c, *values = key + c;
    float *d_query = op->in[0]->grad, *d_key = d_query + c, *d_values = d_key + c;
    float *prob = op->saved, *d_out = op->out->grad;
    float *d_prob = op->backward_scratch;
    void *scratch = (char *)op->backward_scratch + probability_bytes(a);
    if (!run(a->value_back, prob, d_out, d_values, scratch, error) ||
        !run(a->prob_back, d_out, values, d_prob, scratch, error))
        return false;
    size_t row = (size_t)a->pixels, rows = (size_t)op->out->n * row;
    float scale = 1.0f / sqrtf((float)c);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        softmax_row_backward(d_prob + r * row, prob + r * row, row, scale);
    return run(a->query_back, d_prob, key, d_query, scratch, error) &&
           run(a->key_back, d_prob, query, d_key, scratch, error);
}

static void attention_release(Op *op)
{
    AttentionOp *a = (AttentionOp *)op;
    primitive_free(a->scores);
    primitive_free(a->mix);
    primitive_free(a->value_back);
    primitive_free(a->prob_back);
    primitive_free(a->query_back);
    primitive_free(a->key_back);
}

static const OpKind attention_kind = {
    .name = "attention",
    .prepare = attention_prepare,
    .forward = attention_forward,
    .backward = attention_backward,
    .release = attention_release,
};

Value *nn_attention(Graph *graph, Value *qkv)
{
    assert(qkv->c % 3 == 0);
    AttentionOp *a = memory_small(1, sizeof *a);
    a->pixels = qkv->h * qkv->w;
    a->channels = qkv->c / 3;
    a->op = (Op){.in = {qkv}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, &a->op, &attention_kind, qkv->n, qkv->h, qkv->w, a->channels);
}
