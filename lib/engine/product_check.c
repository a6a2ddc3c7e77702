/* A check takes its operands from one pool of random numbers, at different places, in float32 and
 * rounded to bfloat16. So making operands costs nothing after the first check, and no two of them
 * are equal. The reference reads the same memory.
 */
#include "engine/product_check.h"

#include "base/memory.h"
#include "engine/primitive_internal.h"
#include "engine/product_reference.h"

#include <math.h>
#include <string.h>

enum {
    /* Elements between the beginnings of two operands in the pool. */
    APART = 4096,
    POOL_MARGIN = OPERAND_COUNT * APART,
    /* Elements compared: the corners, and others at random, fewer where one costs much. */
    CORNERS = 16,
    OTHERS = 32,
    FEW_OTHERS = 4,
    LONG_SUM = 8192,
};

/* -- Memory that checks share ----------------------------------------------------------------- */

/* Two arrays of the same random numbers in (-1, 1). */
static float *pool_f32;
static uint16_t *pool_bf16;
static size_t pool_count;

static void *work[OPERAND_COUNT + 1];
static size_t work_bytes[OPERAND_COUNT + 1];

void product_check_end(void)
{
    memory_free(pool_f32);
    memory_free(pool_bf16);
    pool_f32 = NULL;
    pool_bf16 = NULL;
    pool_count = 0;
    for (int i = 0; i <= OPERAND_COUNT; i++) {
        memory_free(work[i]);
        work[i] = NULL;
        work_bytes[i] = 0;
    }
}

/* Room that is used again by the next check. Its contents are whatever they were. */
static void *room(int which, size_t bytes, Error *error)
{
    if (work[which] && work_bytes[which] >= bytes)
        return work[which];
    memory_free(work[which]);
    work[which] = memory_large(bytes, 1, "the check of a product", error);
    work_bytes[which] = bytes;
    return work[which];
}

/* Number i of the pool: an integer hash (xorshift and multiply), 23 bits of it. */
VECTORISED static void fill_pool(float *f32, uint16_t *bf16, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = (first + i) * 0x9e3779b9u;
        x = (x ^ x >> 16) * 0x85ebca6bu;
        x = (x ^ x >> 13) * 0xc2b2ae35u;
        f32[i] = (float)(int32_t)(x | 0x100) * 0x1p-31f;
        bf16[i] = bf16_from_float(f32[i]);
    }
}

static bool grow_pool(size_t count, Error *error)
{
    if (count <= pool_count)
        return true;
    memory_free(pool_f32);
    memory_free(pool_bf16);
    pool_f32 = memory_large(count, sizeof *pool_f32, "the check of a product", error);
    pool_bf16 =
        pool_f32 ? memory_large(count, sizeof *pool_bf16, "the check of a product", error) : NULL;
    pool_count = pool_bf16 ? count : 0;
    if (!pool_bf16)
        return false;
    const size_t part = 1 << 16;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += part)
        fill_pool(pool_f32 + i, pool_bf16 + i, (uint32_t)i,
                  (uint32_t)(count - i < part ? count - i : part));
    return true;
}

static Tensor from_pool(Operand operand, DType type)
{
    const size_t at = (size_t)operand * APART;
    return type == DTYPE_F32 ? (Tensor){pool_f32 + at, type} : (Tensor){pool_bf16 + at, type};
}

/* -- A case ----------------------------------------------------------------------------------- */

typedef struct Case {
    Primitive *primitive;
    const Product *product;
    /* What the reference reads, and what the primitive does; both by Operand. */
    ProductOperands operands;
    void *run[OPERAND_COUNT];
    void *scratch;
    /* The result as it lies in `run`, and where the reference's positions lie in it; weights'
     * gradients are unpacked first. */
    Operand result;
    Tensor got;
    int rank;
    int64_t dims[4], strides[4];
} Case;

static int64_t largest_count(const Product *p)
{
    const int64_t counts[] = {p->is_matmul ? matmul_a_count(&p->matmul) : conv_src_count(&p->conv),
                              p->is_matmul ? matmul_b_count(&p->matmul)
                                           : conv_weights_count(&p->conv),
                              p->is_matmul ? matmul_c_count(&p->matmul) : conv_dst_count(&p->conv)};
    int64_t most = counts[0];
    for (int i = 1; i < 3; i++)
        most = counts[i] > most ? counts[i] : most;
    return most;
}

static void set_shape(Case *c, int rank, const int64_t *dims, const int64_t *strides)
{
    c->rank = rank;
    memcpy(c->dims, dims, (size_t)rank * sizeof *dims);
    memcpy(c->strides, strides, (size_t)rank * sizeof *strides);
}

static void set_image(Case *c, int64_t n, int64_t h, int64_t w, int64_t channels)
{
    set_shape(c, 4, (int64_t[]){n, h, w, channels},
              (int64_t[]){h * w * channels, w * channels, channels, 1});
}

/* The operands that the primitive reads; its result has no memory yet. */
static void describe_conv_case(Case *c)
{
    const Product *p = c->product;
    const ConvShape *s = &p->conv;
    const int64_t height = conv_kernel_height(s), width = conv_kernel_width(s);
    Tensor *of = c->operands.of;
    of[OPERAND_SRC] = from_pool(OPERAND_SRC, p->type);
    of[OPERAND_WEIGHTS] = from_pool(OPERAND_WEIGHTS, p->type);
    of[OPERAND_BIAS] = from_pool(OPERAND_BIAS, DTYPE_F32);
    of[OPERAND_DST] = from_pool(OPERAND_DST, p->dst_type);
    of[OPERAND_ADDED] = from_pool(OPERAND_ADDED, p->dst_type);
    switch (p->pass) {
    case CONV_FORWARD:
        c->result = OPERAND_DST;
        set_image(c, s->n, s->out_height, s->out_width, s->out_channels);
        break;
    case CONV_BACKWARD_DATA:
        c->result = OPERAND_SRC;
        set_image(c, s->n, s->in_height, s->in_width, s->in_channels);
        break;
    default:
        c->result = OPERAND_WEIGHTS;
        set_shape(c, 4, (int64_t[]){s->out_channels, s->in_channels, height, width},
                  (int64_t[]){s->in_channels * height * width, height * width, width, 1});
    }
}

static void describe_matmul_case(Case *c)
{
    const MatmulShape *s = &c->product->matmul;
    Tensor *of = c->operands.of;
    of[OPERAND_SRC] = from_pool(OPERAND_SRC, s->a_type);
    of[OPERAND_WEIGHTS] = from_pool(OPERAND_WEIGHTS, s->b_type);
    of[OPERAND_BIAS] = from_pool(OPERAND_BIAS, DTYPE_F32);
    of[OPERAND_DST] = from_pool(OPERAND_DST, s->c_type);
    c->result = OPERAND_DST;
    set_shape(c, 3, (int64_t[]){s->batch, s->m, s->n}, (int64_t[]){s->c_batch, s->c_row, 1});
}

static DType result_type(const Product *p)
{
    if (p->is_matmul)
        return p->matmul.c_type;
    return p->pass == CONV_FORWARD         ? p->dst_type
           : p->pass == CONV_BACKWARD_DATA ? p->type
                                           : DTYPE_F32;
}

static size_t result_bytes(const Case *c)
{
    int64_t last = 0;
    for (int d = 0; d < c->rank; d++)
        last += (c->dims[d] - 1) * c->strides[d];
    return (size_t)(last + 1) * dtype_size(result_type(c->product));
}

static bool writes_weights(const Product *p)
{
    return !p->is_matmul && p->pass == CONV_BACKWARD_WEIGHTS;
}

/* Packed weights, or room for their packed gradient, full of NaN. */
static bool give_weights(Case *c, Error *error)
{
    const size_t bytes = primitive_weights_bytes(c->primitive);
    if (bytes == 0)
        return true;
    void *packed = c->run[OPERAND_WEIGHTS] = room(OPERAND_WEIGHTS, bytes, error);
    if (!packed)
        return false;
    memset(packed, writes_weights(c->product) ? 0xff : 0, bytes);
    if (!writes_weights(c->product))
        primitive_pack(c->primitive, from_pool(OPERAND_WEIGHTS, DTYPE_F32).data, packed);
    return true;
}

/* Gives every operand its memory; scratch is full of NaN. */
static bool give_memory(Case *c, Error *error)
{
    const size_t scratch = primitive_scratch_bytes(c->primitive), bytes = result_bytes(c);
    for (int i = 0; i < OPERAND_COUNT; i++)
        c->run[i] = (void *)c->operands.of[i].data;
    c->scratch = room(SCRATCH, scratch, error);
    void *result = c->scratch
                       ? room(c->result == OPERAND_WEIGHTS ? OPERAND_DST : c->result, bytes, error)
                       : NULL;
    if (!result)
        return false;
    memset(c->scratch, 0xff, scratch);
    c->got = (Tensor){result, result_type(c->product)};
    c->run[c->result] = result;
    if (writes_weights(c->product)) {
        memset(result, 0xff, bytes);
        const size_t bias = (size_t)c->product->conv.out_channels * sizeof(float);
        c->run[OPERAND_BIAS] = room(OPERAND_BIAS, bias, error);
        if (!c->run[OPERAND_BIAS])
            return false;
        memset(c->run[OPERAND_BIAS], 0xff, bias);
    }
    return give_weights(c, error);
}

/* -- Elements --------------------------------------------------------------------------------- */

/* The position of element number i of those compared: a corner, or one at random, of which every
 * other one is near the end of its last dimension. */
static void position(const Case *c, int i, int64_t *at)
{
    for (int d = 0; d < c->rank; d++) {
        const int64_t size = c->dims[d];
        uint32_t hash = (uint32_t)(i * 4 + d + 1) * 0x9e3779b9u;
        hash = (hash ^ hash >> 16) * 0x85ebca6bu;
        hash ^= hash >> 13;
        const int64_t near = d == c->rank - 1 && i % 2 && size > 16 ? 16 : size;
        at[d] = i < CORNERS ? (i >> d & 1 ? size - 1 : 0) : size - 1 - hash % near;
    }
}

static int64_t place(const Case *c, const int64_t *at)
{
    int64_t index = 0;
    for (int d = 0; d < c->rank; d++)
        index += at[d] * c->strides[d];
    return index;
}

static int64_t terms_of(const Product *p)
{
    const ConvShape *s = &p->conv;
    if (p->is_matmul)
        return p->matmul.k;
    const int64_t area = (int64_t)conv_kernel_height(s) * conv_kernel_width(s);
    return p->pass == CONV_FORWARD         ? area * s->in_channels
           : p->pass == CONV_BACKWARD_DATA ? area * s->out_channels
                                           : (int64_t)s->n * s->out_height * s->out_width;
}

static int element_count(const Product *p)
{
    return CORNERS + (terms_of(p) > LONG_SUM ? FEW_OTHERS : OTHERS);
}

/* What the elements that will be compared hold before: NaN, or what the product adds to. */
static void prepare_elements(const Case *c)
{
    const bool adds = c->product->is_matmul && c->product->matmul.accumulate;
    const Tensor *pool = &c->operands.of[OPERAND_DST];
    for (int i = 0; i < element_count(c->product); i++) {
        int64_t at[4];
        position(c, i, at);
        const size_t index = (size_t)place(c, at);
        store((void *)c->got.data, c->got.type, index,
              adds ? load(pool->data, pool->type, index) : NAN);
    }
}

/* Of a product of two numbers of the pool, which are even in (-1, 1). */
static const double MEAN_SQUARE = 1.0 / 9.0;

/* -- Comparison ------------------------------------------------------------------------------- */

/* The error as a share of the tolerance, which is 0 for an element without terms; NaN is infinitely
 * wrong. */
static double share(double got, const Expected *want, DType type)
{
    const double off = fabs(got - want->value);
    if (off == 0)
        return 0;
    return off < INFINITY ? off / expected_tolerance(want, type) : INFINITY;
}

typedef struct Difference {
    double off, got, want;
    int64_t at[4];
    bool is_bias;
} Difference;

static Difference compare_element(const Case *c, int i)
{
    Difference result = {0};
    position(c, i, result.at);
    const size_t index = (size_t)place(c, result.at);
    Expected want = product_element(c->product, &c->operands, result.at);
    if (c->product->is_matmul && c->product->matmul.accumulate) {
        const Tensor *before = &c->operands.of[OPERAND_DST];
        expected_add(&want, load(before->data, before->type, index));
    }
    if (c->primitive->own && c->primitive->own->is_by_tiles)
        expected_widen(&want, terms_of(c->product), MEAN_SQUARE);
    result.got = load(c->got.data, c->got.type, index);
    result.want = want.value;
    result.off = share(result.got, &want, c->got.type);
    return result;
}

/* The gradient of the bias, at its first and last channel. */
static Difference compare_bias(const Case *c, int i)
{
    const int64_t channel = i ? c->product->conv.out_channels - 1 : 0;
    const Expected want = product_bias_gradient(c->product, &c->operands, channel);
    const double got = ((const float *)c->run[OPERAND_BIAS])[channel];
    return (Difference){.off = share(got, &want, DTYPE_F32),
                        .got = got,
                        .want = want.value,
                        .at = {channel},
                        .is_bias = true};
}

static Difference largest_difference(const Case *c)
{
    const int elements = element_count(c->product), biases = writes_weights(c->product) ? 2 : 0;
    Difference worst = {.off = -1};
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < elements + biases; i++) {
        const Difference one = i < elements ? compare_element(c, i) : compare_bias(c, i - elements);
#pragma omp critical(product_check)
        if (one.off > worst.off)
            worst = one;
    }
    return worst;
}

static Check judge(const Case *c, double *off, Error *error)
{
    const Difference worst = largest_difference(c);
    *off = worst.off;
    if (worst.off <= 1)
        return CHECK_RIGHT;
    const int64_t *at = worst.at;
    if (worst.is_bias)
        error_runtime(error, "expected %.7g in the gradient of bias %lld, got %.7g", worst.want,
                      (long long)at[0], worst.got);
    else if (c->rank == 3)
        error_runtime(error, "expected %.7g at [%lld, %lld, %lld], got %.7g", worst.want,
                      (long long)at[0], (long long)at[1], (long long)at[2], worst.got);
    else
        error_runtime(error, "expected %.7g at [%lld, %lld, %lld, %lld], got %.7g", worst.want,
                      (long long)at[0], (long long)at[1], (long long)at[2], (long long)at[3],
                      worst.got);
    return CHECK_WRONG;
}

Check product_check(Primitive *primitive, double *off, Error *error)
{
    Case c = {.primitive = primitive, .product = &primitive->product};
    if (!grow_pool((size_t)largest_count(c.product) + POOL_MARGIN, error))
        return CHECK_FAILED;
    if (c.product->is_matmul)
        describe_matmul_case(&c);
    else
        describe_conv_case(&c);
    if (!give_memory(&c, error))
        return CHECK_FAILED;
    prepare_elements(&c);
    if (!primitive_run(primitive, c.run, c.scratch, error))
        return CHECK_WRONG;
    if (writes_weights(c.product) && primitive_weights_bytes(primitive) > 0)
        primitive_unpack(primitive, c.run[OPERAND_WEIGHTS], (float *)c.got.data);
    return judge(&c, off, error);
}
