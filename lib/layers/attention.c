/* Self-attention over the pixels of an image, head by head, each d channels wide.
 *
 *     forward   S = Q K',  P = softmax(S / sqrt(d)) row by row,  O = P V
 *     backward  dV = P' dO,  dP = dO V',  dS = P o (dP - rowsum(dP o P)) / sqrt(d),
 *               dQ = dS K,  dK = dS' Q
 *
 * Q, K and V are columns of one matrix [n, pixels, 3c]. In float32 the products of a single head
 * read and write them in place, through strides. The library's fast products of bfloat16 want
 * matrices without gaps, and several heads cannot be a batch of one stride. There Q, K and V are
 * copied apart, and their gradients together again. Of several heads O and dO are copied as well.
 *
 * A head of an image is a pair. The matrices [pixels, pixels] exist for a few pairs at a time:
 * forward keeps one number per row, log sum exp(S / sqrt(d)), from which backward makes P again. S,
 * dP and the softmax are float32; P and dS are rounded to the type of the graph as operands of
 * products.
 */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/dtype.h"
#include "layers/activation.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

/* The columns of qkv, in their order. */
enum { QUERY, KEY, VALUE };

typedef struct AttentionOp {
    /* in[0]: qkv. */
    Op op;
    int pixels, heads;
    /* Channels of a head. */
    int width;
    /* Pairs at a time; divides n * heads. */
    int chunk;
    /* Forward. */
    Primitive *scores, *mix;
    /* dV, dP, dQ, dK. */
    Primitive *value_back, *prob_back, *query_back, *key_back;
} AttentionOp;

/* A matrix operand: its type, and the strides of its batch, rows and columns. */
typedef struct Matrix {
    int64_t batch, row, column;
    DType type;
} Matrix;

static Matrix transposed(Matrix m)
{
    return (Matrix){m.batch, m.column, m.row, m.type};
}

static bool product(Primitive **primitive, const AttentionOp *a, int m, int n, int k, Matrix left,
                    Matrix right, Matrix result, Error *error)
{
    MatmulShape shape = {.batch = a->chunk,
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
                         .a_type = left.type,
                         .b_type = right.type,
                         .c_type = result.type};
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

/* Bytes of [chunk, pixels, pixels]. */
static size_t square_bytes(const AttentionOp *a, DType type)
{
    size_t pixels = (size_t)a->pixels;
    return memory_aligned((size_t)a->chunk * pixels * pixels * dtype_size(type));
}

/* Whether Q, K and V are copied apart, and whether O is. */
static bool is_apart(const AttentionOp *a)
{
    return a->heads > 1 || a->op.out->type != DTYPE_F32;
}

static bool is_out_apart(const AttentionOp *a)
{
    return a->heads > 1;
}

/* Bytes of the copies of Q, K, V and O of a chunk, each [chunk, pixels, width]. */
static size_t parts_bytes(const AttentionOp *a)
{
    const size_t count = (size_t)a->chunk * (size_t)a->pixels * (size_t)a->width;
    const size_t copies = is_out_apart(a) ? 4 : 3;
    return is_apart(a) ? memory_aligned(copies * count * dtype_size(a->op.out->type)) : 0;
}

/* As many pairs as keep the scores within a core's cache, but one for each thread. */
static int choose_chunk(int n, int pixels)
{
    const int64_t cache = 1 << 20, image = (int64_t)pixels * pixels * (int64_t)sizeof(float);
    int64_t most = omp_get_max_threads() * (image < cache ? cache / image : 1);
    int chunk = (int)(most < n ? most : n);
    while (n % chunk != 0)
        chunk--;
    return chunk;
}

static bool attention_prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    const int t = a->pixels, d = a->width;
    const DType type = op->out->type;
    assert(!op->accumulate[0]); /* qkv is made for this operation and read by no other */
    a->chunk = choose_chunk(op->out->n * a->heads, t);
    const Matrix score = {(int64_t)t * t, t, 1, DTYPE_F32};
    const Matrix prob = {(int64_t)t * t, t, 1, type};
    const int64_t row = is_apart(a) ? d : 3 * d;
    const Matrix part = {t * row, row, 1, type}; /* Q, K or V, and their gradients */
    const Matrix out = {(int64_t)t * d, d, 1, type};
    if (!product(&a->scores, a, t, t, d, part, transposed(part), score, error) ||
        !product(&a->mix, a, t, d, t, prob, part, out, error))
        return false;
    Primitive *forward[] = {a->scores, a->mix};
    const size_t squares = square_bytes(a, DTYPE_F32) + square_bytes(a, type);
    op->forward_scratch_bytes = parts_bytes(a) + squares + largest_scratch(forward, 2);
    op->saved_bytes = (size_t)op->out->n * (size_t)a->heads * (size_t)t * sizeof(float);
    if (!op->backward)
        return true;

    if (!product(&a->value_back, a, t, d, t, transposed(prob), out, part, error) ||
        !product(&a->prob_back, a, t, t, d, out, transposed(part), score, error) ||
        !product(&a->query_back, a, t, d, t, prob, part, part, error) ||
        !product(&a->key_back, a, t, d, t, transposed(prob), part, part, error))
        return false;
    Primitive *backward[] = {a->scores, a->value_back, a->prob_back, a->query_back, a->key_back};
    op->backward_scratch_bytes =
        2 * parts_bytes(a) + square_bytes(a, DTYPE_F32) + squares + largest_scratch(backward, 5);
    op->reads_input[0] = true;
    return true;
}

/* A number whose order as an integer is the order of floats; the way there and back is the same. A
 * positive NaN is larger than any number. */
INLINED int32_t ordered(int32_t bits)
{
    return bits ^ (bits < 0 ? INT32_MAX : 0);
}

/* The largest of a row. The compilers vectorise the maximum of integers, and not that of floats,
 * among which may be no numbers. */
INLINED float largest_of(const float *row, size_t count)
{
    int32_t largest = INT32_MIN, bits;
    for (size_t i = 0; i < count; i++) {
        memcpy(&bits, &row[i], sizeof bits);
        bits = ordered(bits);
        largest = bits > largest ? bits : largest;
    }
    float value;
    bits = ordered(largest);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* prob := softmax(scale row); `row` is overwritten. Returns log sum exp(scale row). */
INLINED float softmax_row_as(DType type, void *restrict prob, float *restrict row, size_t count,
                             float scale)
{
    float largest = largest_of(row, count), sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) {
        row[i] = fast_exp(scale * (row[i] - largest));
        sum += row[i];
    }
    float inverse = 1.0f / sum;
    for (size_t i = 0; i < count; i++)
        store(prob, type, i, row[i] * inverse);
    return scale * largest + logf(sum);
}

VECTORISED static float softmax_row(DType type, void *prob, float *row, size_t count, float scale)
{
    return type == DTYPE_F32 ? softmax_row_as(DTYPE_F32, prob, row, count, scale)
                             : softmax_row_as(DTYPE_BF16, prob, row, count, scale);
}

/* row := exp(scale row - log_sum), and the same rounded to `prob`. */
INLINED void softmax_again_as(DType type, void *restrict prob, float *restrict row, size_t count,
                              float scale, float log_sum)
{
    for (size_t i = 0; i < count; i++) {
        row[i] = fast_exp(scale * row[i] - log_sum);
        store(prob, type, i, row[i]);
    }
}

VECTORISED static void softmax_again(DType type, void *prob, float *row, size_t count, float scale,
                                     float log_sum)
{
    if (type == DTYPE_F32)
        softmax_again_as(DTYPE_F32, prob, row, count, scale, log_sum);
    else
        softmax_again_as(DTYPE_BF16, prob, row, count, scale, log_sum);
}

/* d_score := scale P o (dP - sum(dP o P)). */
INLINED void softmax_row_backward_as(DType type, void *restrict d_score,
                                     const float *restrict d_prob, const float *restrict prob,
                                     size_t count, float scale)
{
    float dot = 0.0f;
#pragma omp simd reduction(+ : dot)
    for (size_t i = 0; i < count; i++)
        dot += d_prob[i] * prob[i];
    for (size_t i = 0; i < count; i++)
        store(d_score, type, i, scale * prob[i] * (d_prob[i] - dot));
}

VECTORISED static void softmax_row_backward(DType type, void *d_score, const float *d_prob,
                                            const float *prob, size_t count, float scale)
{
    if (type == DTYPE_F32)
        softmax_row_backward_as(DTYPE_F32, d_score, d_prob, prob, count, scale);
    else
        softmax_row_backward_as(DTYPE_BF16, d_score, d_prob, prob, count, scale);
}

static bool run(Primitive *p, void *left, void *right, void *result, void *scratch, Error *error)
{
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = left, [OPERAND_WEIGHTS] = right, [OPERAND_DST] = result};
    return primitive_run(p, operands, scratch, error);
}

/* A chunk of pairs: where its operands lie. */
typedef struct Chunk {
    /* The first pair. */
    size_t first;
    /* The whole Q, K and V side by side, and the whole O; or their gradients. */
    char *qkv, *all_out;
    /* Where products find those of the chunk: there, or copied apart. */
    char *part[3], *out;
    float *log_sums;
    /* Rows of the squares, and their length. */
    size_t rows, row;
    float scale;
} Chunk;

static size_t row_bytes(const AttentionOp *a)
{
    return (size_t)a->width * dtype_size(a->op.out->type);
}

/* `qkv`, `out`: the data or the gradients of the operation's input and output. `parts`: memory of
 * parts_bytes bytes. */
static Chunk chunk_of(const AttentionOp *a, int first, void *qkv, void *out, char *parts)
{
    const DType type = a->op.out->type;
    const size_t pixels = (size_t)a->pixels, width = (size_t)a->width;
    const size_t start = (size_t)first * pixels;
    const size_t step = (is_apart(a) ? (size_t)a->chunk * pixels : 1) * row_bytes(a);
    char *part = is_apart(a) ? parts : dtype_at(qkv, type, start * 3 * width);
    return (Chunk){
        .first = (size_t)first,
        .qkv = qkv,
        .all_out = out,
        .part = {part, part + step, part + 2 * step},
        .out = is_out_apart(a) ? part + 3 * step : dtype_at(out, type, start * width),
        .log_sums = (float *)a->op.saved + start,
        .rows = (size_t)a->chunk * pixels,
        .row = pixels,
        .scale = 1.0f / sqrtf((float)a->width),
    };
}

/* The place of row r of the chunk among rows of all heads: of its image, its pixel and its head. */
static size_t place_of(const AttentionOp *a, const Chunk *c, size_t r)
{
    const size_t heads = (size_t)a->heads, pair = c->first + r / c->row;
    return (pair / heads * c->row + r % c->row) * heads + pair % heads;
}

/* Row r of the queries, keys or values in the whole. */
static char *row_of(const AttentionOp *a, const Chunk *c, size_t r, size_t kind)
{
    const size_t heads = (size_t)a->heads, place = place_of(a, c, r);
    return c->qkv + ((place / heads * 3 + kind) * heads + place % heads) * row_bytes(a);
}

static void take_apart(const AttentionOp *a, const Chunk *c)
{
    const size_t bytes = row_bytes(a);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c->rows; r++)
        for (size_t k = 0; k < 3; k++)
            memcpy(c->part[k] + r * bytes, row_of(a, c, r, k), bytes);
}

static void put_together(const AttentionOp *a, const Chunk *c)
{
    const size_t bytes = row_bytes(a);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c->rows; r++)
        for (size_t k = 0; k < 3; k++)
            memcpy(row_of(a, c, r, k), c->part[k] + r * bytes, bytes);
}

static void take_out_apart(const AttentionOp *a, const Chunk *c)
{
    const size_t bytes = row_bytes(a);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c->rows; r++)
        memcpy(c->out + r * bytes, c->all_out + place_of(a, c, r) * bytes, bytes);
}

static void put_out_together(const AttentionOp *a, const Chunk *c)
{
    const size_t bytes = row_bytes(a);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c->rows; r++)
        memcpy(c->all_out + place_of(a, c, r) * bytes, c->out + r * bytes, bytes);
}

static bool forward_chunk(AttentionOp *a, int first, Error *error)
{
    const Op *op = &a->op;
    const DType type = op->out->type;
    const Chunk c = chunk_of(a, first, op->in[0]->data, op->out->data, op->forward_scratch);
    float *scores = (float *)((char *)op->forward_scratch + parts_bytes(a));
    char *prob = (char *)scores + square_bytes(a, DTYPE_F32);
    void *scratch = prob + square_bytes(a, type);
    if (is_apart(a))
        take_apart(a, &c);
    if (!run(a->scores, c.part[QUERY], c.part[KEY], scores, scratch, error))
        return false;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c.rows; r++)
        c.log_sums[r] =
            softmax_row(type, dtype_at(prob, type, r * c.row), scores + r * c.row, c.row, c.scale);
    if (!run(a->mix, prob, c.part[VALUE], c.out, scratch, error))
        return false;
    if (is_out_apart(a))
        put_out_together(a, &c);
    return true;
}

static bool attention_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    for (int first = 0; first < op->out->n * a->heads; first += a->chunk)
        if (!forward_chunk(a, first, error))
            return false;
    return true;
}

static bool backward_chunk(AttentionOp *a, int first, Error *error)
{
    const Op *op = &a->op;
    const DType type = op->out->type;
    char *parts = op->backward_scratch, *d_parts = parts + parts_bytes(a);
    const Chunk c = chunk_of(a, first, op->in[0]->data, op->out->data, parts);
    const Chunk d = chunk_of(a, first, op->in[0]->grad, op->out->grad, d_parts);
    float *prob = (float *)(d_parts + parts_bytes(a)); /* first the scores */
    float *d_prob = (float *)((char *)prob + square_bytes(a, DTYPE_F32));
    char *rounded = (char *)d_prob + square_bytes(a, DTYPE_F32); /* first P, then dS */
    void *scratch = rounded + square_bytes(a, type);
    if (is_apart(a))
        take_apart(a, &c);
    if (is_out_apart(a))
        take_out_apart(a, &d);
    if (!run(a->scores, c.part[QUERY], c.part[KEY], prob, scratch, error))
        return false;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c.rows; r++)
        softmax_again(type, dtype_at(rounded, type, r * c.row), prob + r * c.row, c.row, c.scale,
                      c.log_sums[r]);
    if (!run(a->value_back, rounded, d.out, d.part[VALUE], scratch, error) ||
        !run(a->prob_back, d.out, c.part[VALUE], d_prob, scratch, error))
        return false;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < c.rows; r++)
        softmax_row_backward(type, dtype_at(rounded, type, r * c.row), d_prob + r * c.row,
                             prob + r * c.row, c.row, c.scale);
    if (!run(a->query_back, rounded, c.part[KEY], d.part[QUERY], scratch, error) ||
        !run(a->key_back, rounded, c.part[QUERY], d.part[KEY], scratch, error))
        return false;
    if (is_apart(a))
        put_together(a, &d);
    return true;
}

static bool attention_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph;
    AttentionOp *a = (AttentionOp *)op;
    for (int first = 0; first < op->out->n * a->heads; first += a->chunk)
        if (!backward_chunk(a, first, error))
            return false;
    return true;
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

Value *nn_attention(Graph *graph, Value *qkv, int heads)
{
    assert(heads > 0 && qkv->c % (3 * heads) == 0);
    AttentionOp *a = memory_small(1, sizeof *a);
    a->pixels = qkv->h * qkv->w;
    a->heads = heads;
    a->width = qkv->c / (3 * heads);
    a->op = (Op){.in = {qkv}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, &a->op, &attention_kind,
                        (Shape){qkv->n, qkv->h, qkv->w, qkv->c / 3, qkv->type});
}
