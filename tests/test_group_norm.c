/* Tests of the kernels of group normalisation against their definition in double, with those of
 * every instruction set that this processor has.
 *
 * Operands lie in memory of exactly their size, so that a sanitizer sees a read or a write beyond.
 */
#include "base/cpu.h"
#include "base/memory.h"
#include "layers/dropout.h"
#include "layers/group_norm_kernels.h"
#include "tests/expect.h"
#include "tests/suite.h"

enum { MOST_SETS = 3 };

/* Pixels and channels: fewer channels than a vector, vectors with a rest, an odd number of pixels,
 * and more than a pass takes at a time. */
static const size_t shapes[][2] = {{1, 1},  {3, 5},  {4, 16}, {7, 33},
                                   {9, 64}, {5, 40}, {2, 4},  {150, 48}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static int list_sets(const NormKernels **sets)
{
    int count = 0;
    sets[count++] = &group_norm_baseline;
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
    if (cpu_vectors() >= CPU_VECTORS_AVX2)
        sets[count++] = &group_norm_avx2;
    else
        suite_skips("AVX2");
    if (cpu_vectors() >= CPU_VECTORS_AVX512)
        sets[count++] = &group_norm_avx512;
    else
        suite_skips("AVX-512");
#endif
    return count;
}

/* -- A case ----------------------------------------------------------------------------------- */

/* An image, its gradient, and numbers per channel. `factors` has dropout's. */
typedef struct Case {
    const NormKernels *kernels;
    NormImage image;
    NormAffine affine;
    NormDropout dropout;
    size_t size;
    void *x, *dy;
    float *numbers[4], *a, *b, *dz, *factors, *sum, *other;
    uint8_t *bits;
} Case;

/* Memory of exactly this size, even 1 byte. */
static void *exactly(size_t count, size_t size)
{
    void *memory = malloc(count * size);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static float *random_numbers(uint32_t substream, size_t count, float scale, float shift)
{
    float *values = exactly(count, sizeof *values);
    random_normal((RandomKey){.substream = substream}, values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * scale + shift;
    return values;
}

static void *random_image(uint32_t substream, DType type, size_t count)
{
    float *values = random_numbers(substream, count, 2.0f, 0.5f);
    void *image = exactly(count, dtype_size(type));
    for (size_t i = 0; i < count; i++)
        store(image, type, i, values[i]);
    free(values);
    return image;
}

static void add_dropout(Case *c)
{
    const DropoutMask mask = dropout_mask(1, 2, 3, 4, 0.3);
    c->bits = exactly(dropout_bytes(c->size), 1);
    dropout_bits(mask, c->bits, c->size);
    for (size_t i = 0; i < c->size; i++)
        c->factors[i] = c->bits[i / 8] >> i % 8 & 1 ? mask.scale : 0.0f;
    c->dropout = (NormDropout){c->bits, mask.scale};
}

static Case case_new(const NormKernels *kernels, DType type, const size_t *shape, bool drops)
{
    const size_t channels = shape[1];
    Case c = {.kernels = kernels, .size = shape[0] * channels};
    c.x = random_image(1, type, c.size);
    c.dy = random_image(2, type, c.size);
    c.image = (NormImage){type, c.x, shape[0], channels};
    for (int k = 0; k < 4; k++)
        c.numbers[k] = random_numbers(3 + (uint32_t)k, channels, 1.0f, 0.3f);
    c.affine = (NormAffine){c.numbers[0], c.numbers[1], c.numbers[2], c.numbers[3]};
    c.a = random_numbers(7, channels, 1.0f, 0.0f);
    c.b = random_numbers(8, channels, 1.0f, 0.0f);
    c.dz = random_numbers(9, c.size, 1.0f, 0.0f);
    c.sum = random_numbers(10, channels, 1.0f, 0.0f);
    c.other = random_numbers(11, channels, 1.0f, 0.0f);
    c.factors = random_numbers(12, c.size, 0.0f, 1.0f);
    if (drops)
        add_dropout(&c);
    return c;
}

static void case_free(Case *c)
{
    for (int k = 0; k < 4; k++)
        free(c->numbers[k]);
    free(c->x), free(c->dy), free(c->a), free(c->b), free(c->dz), free(c->factors);
    free(c->sum), free(c->other), free(c->bits);
}

static double sigmoid_of(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

/* What rounding to the type may do to a number that was computed from terms of this size. */
static double allowed(DType type, double value, double size)
{
    return 2e-6 * size + (type == DTYPE_BF16 ? 0x1p-8 * fabs(value) : 0.0);
}

/* Calls `check` for all kernels, shapes and types, with and without SiLU and dropout. */
static void for_all(void (*check)(Case *c, bool flag))
{
    const NormKernels *sets[MOST_SETS];
    const int count = list_sets(sets);
    for (int variant = 0; variant < count * SHAPES * 8; variant++) {
        const DType type = variant & 1 ? DTYPE_BF16 : DTYPE_F32;
        const int rest = variant / 8;
        Case c = case_new(sets[rest % count], type, shapes[rest / count], variant & 2);
        check(&c, variant & 4);
        case_free(&c);
    }
}

/* -- The passes ------------------------------------------------------------------------------- */

static void check_sums(Case *c, bool flag)
{
    (void)flag;
    float *first = c->a;
    c->kernels->sums(&c->image, first, c->sum, c->other);
    for (size_t i = 0; i < c->image.channels; i++) {
        double sum = 0.0, square = 0.0, size = 0.0;
        ck_assert(first[i] == load(c->x, c->image.type, i));
        for (size_t p = 0; p < c->image.pixels; p++) {
            const double d =
                (double)load(c->x, c->image.type, p * c->image.channels + i) - (double)first[i];
            sum += d;
            size += fabs(d);
            square += d * d;
        }
        ck_assert_double_eq_tol(c->sum[i], sum, 1e-5 * size + 1e-30);
        ck_assert_double_eq_tol(c->other[i], square, 1e-5 * square + 1e-30);
    }
}

START_TEST(sums_are_those_of_each_channel)
{
    for_all(check_sums);
}
END_TEST

static void check_normalise(Case *c, bool with_silu)
{
    const DType type = c->image.type;
    void *y = exactly(c->size, dtype_size(type));
    c->kernels->normalise(&c->image, with_silu, c->affine.scale, c->affine.offset, c->dropout, y);
    for (size_t i = 0; i < c->size; i++) {
        const size_t k = i % c->image.channels;
        const double term = (double)c->affine.scale[k] * load(c->x, type, i);
        const double z = term + c->affine.offset[k];
        const double want = (with_silu ? z * sigmoid_of(z) : z) * c->factors[i];
        const double size = fabs(term) + fabs((double)c->affine.offset[k]);
        ck_assert_double_eq_tol(load(y, type, i), want, allowed(type, want, size));
    }
    free(y);
}

START_TEST(normalised_images_are_as_defined)
{
    for_all(check_normalise);
}
END_TEST

static void check_backward_sums(Case *c, bool with_silu)
{
    const DType type = c->image.type;
    const size_t channels = c->image.channels;
    c->kernels->backward_sums(&c->image, with_silu, c->affine, c->dropout, c->dy, c->dz, c->sum,
                              c->other);
    for (size_t k = 0; k < channels; k++) {
        double sum = 0.0, sum_xhat = 0.0, sizes = 0.0, sizes_xhat = 0.0;
        for (size_t i = k; i < c->size; i += channels) {
            const double xhat =
                (double)c->affine.scale[k] * load(c->x, type, i) + c->affine.offset[k];
            const double z = c->affine.weight[k] * xhat + c->affine.bias[k], s = sigmoid_of(z);
            const double slope = with_silu ? s * (1.0 + z * (1.0 - s)) : 1.0;
            const double dz = load(c->dy, type, i) * slope * c->factors[i];
            const double size = fabs((double)load(c->dy, type, i)) * (1.0 + fabs(z) + fabs(xhat)) *
                                (double)c->factors[i];
            ck_assert_double_eq_tol(c->dz[i], dz, allowed(DTYPE_F32, dz, size) + 1e-30);
            sum += dz;
            sum_xhat += dz * xhat;
            sizes += size;
            sizes_xhat += size * (1.0 + fabs(xhat));
        }
        ck_assert_double_eq_tol(c->sum[k], sum, 1e-5 * sizes + 1e-30);
        ck_assert_double_eq_tol(c->other[k], sum_xhat, 1e-5 * sizes_xhat + 1e-30);
    }
}

START_TEST(gradients_of_the_activation_and_their_sums_are_as_defined)
{
    for_all(check_backward_sums);
}
END_TEST

static void check_backward_input(Case *c, bool add)
{
    const DType type = c->image.type;
    const size_t channels = c->image.channels;
    void *dx = random_image(2, type, c->size); /* as dy */
    c->kernels->backward_input(&c->image, add, c->affine, c->a, c->b, c->dz, dx, c->sum);
    for (size_t k = 0; k < channels; k++) {
        double sum = 0.0, sizes = 0.0;
        for (size_t i = k; i < c->size; i += channels) {
            const double scale = c->affine.scale[k], x = load(c->x, type, i);
            const double xhat = scale * x + c->affine.offset[k];
            const double du =
                scale * (c->affine.weight[k] * (double)c->dz[i] - c->a[k] - xhat * c->b[k]);
            const double want = du + (add ? load(c->dy, type, i) : 0.0f);
            const double size = fabs(scale) * (fabs(c->affine.weight[k] * (double)c->dz[i]) +
                                               fabs((double)c->a[k]) +
                                               (fabs(scale * x) + 2.0) * fabs((double)c->b[k])) +
                                fabs(want);
            ck_assert_double_eq_tol(load(dx, type, i), want, allowed(type, want, size));
            sum += du;
            sizes += size;
        }
        ck_assert_double_eq_tol(c->sum[k], sum, 1e-5 * sizes);
    }
    free(dx);
}

START_TEST(gradients_of_images_are_as_defined)
{
    for_all(check_backward_input);
}
END_TEST

/* -- Numbers at the ends of the range --------------------------------------------------------- */

/* y of `count` numbers, as one pixel with scale 1 and offset 0. */
static void silu_of(const NormKernels *kernels, DType type, const float *z, size_t count, float *y)
{
    enum { MOST = 64 };
    float scale[MOST], offset[MOST] = {0}, x[MOST], out[MOST];
    ck_assert_uint_le(count, MOST);
    for (size_t i = 0; i < count; i++) {
        scale[i] = 1.0f;
        store(x, type, i, z[i]);
    }
    kernels->normalise(&(NormImage){type, x, 1, count}, true, scale, offset, (NormDropout){0}, out);
    for (size_t i = 0; i < count; i++)
        y[i] = load(out, type, i);
}

START_TEST(silu_keeps_its_precision_and_nan)
{
    const float z[] = {0.0f,  1e-30f, -1e-6f, -1.0f, -10.0f, -40.0f, -80.0f,
                       10.0f, 80.0f,  100.0f, 1e30f, -60.0f, 0.5f,   -0.5f};
    enum { COUNT = sizeof z / sizeof z[0] };
    const NormKernels *sets[MOST_SETS];
    for (int count = list_sets(sets), k = 0; k < count; k++)
        for (int type = DTYPE_F32; type < DTYPE_COUNT; type++) {
            float y[COUNT], nan = NAN, of_nan;
            silu_of(sets[k], (DType)type, z, COUNT, y);
            silu_of(sets[k], (DType)type, &nan, 1, &of_nan);
            ck_assert(isnan(of_nan));
            for (int i = 0; i < COUNT; i++) {
                const double x = type == DTYPE_F32 ? z[i] : bf16_to_float(bf16_from_float(z[i]));
                const double want = x * sigmoid_of(x), unit = type == DTYPE_F32 ? 5e-7 : 0x1p-8;
                /* Arguments of exp beyond 64 are taken as 64. */
                ck_assert_double_eq_tol(y[i], want,
                                        unit * fabs(want) + (x < -64.0 ? 2e-26 : 1e-37));
            }
        }
}
END_TEST

/* To nearest, ties to even: numbers halfway and beside, as scales of a pixel of ones. */
START_TEST(bfloat16_is_rounded_to_nearest)
{
    enum { COUNT = 6 * 16 };
    const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    const NormKernels *sets[MOST_SETS];
    float scale[COUNT], offset[COUNT] = {0};
    uint16_t ones[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++)
        ones[i] = bf16_from_float(1.0f);
    for (int count = list_sets(sets), k = 0; k < count; k++)
        for (uint32_t upper = 0x3f00; upper < 0x4100; upper += 16) {
            for (int i = 0; i < COUNT; i++) {
                const uint32_t bits = (upper + (uint32_t)i / 6) << 16 | lower[i % 6];
                memcpy(&scale[i], &bits, sizeof bits);
            }
            sets[k]->normalise(&(NormImage){DTYPE_BF16, ones, 1, COUNT}, false, scale, offset,
                               (NormDropout){0}, y);
            for (int i = 0; i < COUNT; i++)
                ck_assert_uint_eq(y[i], bf16_from_float(scale[i]));
        }
}
END_TEST

SUITE_MAIN("group_norm", sums_are_those_of_each_channel, normalised_images_are_as_defined,
           gradients_of_the_activation_and_their_sums_are_as_defined,
           gradients_of_images_are_as_defined, silu_keeps_its_precision_and_nan,
           bfloat16_is_rounded_to_nearest)
