/* Tests of the weight gradient on AMX against its definition in plain loops. With whole numbers so
 * small that every sum is exact in float32, the result must be exact. Other results must be within
 * the error of a float32 sum. */
#include "engine/weight_gradient.h"

#include "base/memory.h"
#include "base/random.h"
#include "engine/amx.h"
#include "tests/suite.h"

#include <math.h>

enum { GUARD = 64 }; /* elements around each array, which must be neither used nor changed */

typedef struct Problem {
    ConvShape shape;
    size_t x_count, dy_count, dw_count, db_count;
    uint16_t *x, *dy;                                      /* bf16, NaN around */
    float *dw, *db;                                        /* results */
    double *dw_sum, *db_sum, *dw_magnitude, *db_magnitude; /* expected; sums of magnitudes */
} Problem;

static ConvShape square(int n, int size, int in_channels, int out_channels, int kernel, int stride,
                        int pad_begin, int pad_end)
{
    int out = (size + pad_begin + pad_end - kernel) / stride + 1;
    return (ConvShape){n,      size,   size,      in_channels, out,        out, out_channels,
                       kernel, stride, pad_begin, pad_end,     CONV_SQUARE};
}

/* Whole numbers from -4 to 4, or normal ones. */
static uint16_t *numbers_new(size_t count, uint32_t sample, bool whole)
{
    const RandomKey key = {.seed = 5, .purpose = RANDOM_NOISE, .sample = sample};
    uint16_t *array = memory_small(count + 2 * GUARD, sizeof *array);
    float *normal = memory_small(count, sizeof *normal);
    random_normal(key, normal, count);
    for (size_t i = 0; i < count + 2 * GUARD; i++)
        array[i] = 0x7fff; /* NaN */
    for (size_t i = 0; i < count; i++)
        array[GUARD + i] =
            bf16_from_float(whole ? (float)random_below(key, (uint32_t)i, 9) - 4 : normal[i]);
    memory_free(normal);
    return array;
}

static double number(const uint16_t *array, size_t i)
{
    return (double)bf16_to_float(array[GUARD + i]);
}

/* What pixel (y, x) of dy, channel o, adds to all weights of o. */
static void add_pixel(Problem *p, int n, int y, int x, int o)
{
    const ConvShape *s = &p->shape;
    const double dy =
        number(p->dy, (size_t)(((n * s->out_height + y) * s->out_width + x) * s->out_channels + o));
    p->db_sum[o] += dy;
    p->db_magnitude[o] += fabs(dy);
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++) {
            int row = y * s->stride + ky - s->pad_begin, column = x * s->stride + kx - s->pad_begin;
            if (row < 0 || row >= s->in_height || column < 0 || column >= s->in_width)
                continue;
            int pixel = ((n * s->in_height + row) * s->in_width + column) * s->in_channels;
            for (int c = 0; c < s->in_channels; c++) {
                int i = ((o * s->in_channels + c) * s->kernel + ky) * s->kernel + kx;
                double product = dy * number(p->x, (size_t)(pixel + c));
                p->dw_sum[i] += product;
                p->dw_magnitude[i] += fabs(product);
            }
        }
}

static Problem problem_new(ConvShape s, bool whole)
{
    Problem p = {
        .shape = s,
        .x_count = (size_t)(s.n * s.in_height * s.in_width * s.in_channels),
        .dy_count = (size_t)(s.n * s.out_height * s.out_width * s.out_channels),
        .dw_count = (size_t)(s.out_channels * s.in_channels * s.kernel * s.kernel),
        .db_count = (size_t)s.out_channels,
    };
    p.x = numbers_new(p.x_count, 1, whole);
    p.dy = numbers_new(p.dy_count, 2, whole);
    p.dw = memory_small(p.dw_count + 2 * GUARD, sizeof *p.dw);
    p.db = memory_small(p.db_count + 2 * GUARD, sizeof *p.db);
    p.dw_sum = memory_small(p.dw_count, sizeof *p.dw_sum);
    p.db_sum = memory_small(p.db_count, sizeof *p.db_sum);
    p.dw_magnitude = memory_small(p.dw_count, sizeof *p.dw_magnitude);
    p.db_magnitude = memory_small(p.db_count, sizeof *p.db_magnitude);
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.out_height; y++)
            for (int x = 0; x < s.out_width; x++)
                for (int o = 0; o < s.out_channels; o++)
                    add_pixel(&p, n, y, x, o);
    return p;
}

static void problem_free(Problem *p)
{
    void *const memory[] = {p->x,      p->dy,     p->dw,           p->db,
                            p->dw_sum, p->db_sum, p->dw_magnitude, p->db_magnitude};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        memory_free(memory[i]);
}

/* Computes dw and db, with NaN in all memory that has no meaning before. */
static void problem_run(Problem *p, int threads, bool bias)
{
    const size_t bytes = weight_gradient_scratch_bytes(&p->shape, threads);
    Error error = {0};
    unsigned char *scratch = memory_large(bytes + GUARD, 1, "scratch", &error);
    ck_assert_ptr_nonnull(scratch);
    memset(scratch, 0xff, bytes + GUARD);
    memset(p->dw, 0xff, (p->dw_count + 2 * GUARD) * sizeof *p->dw);
    memset(p->db, 0xff, (p->db_count + 2 * GUARD) * sizeof *p->db);
    weight_gradient(&p->shape, threads, p->x + GUARD, p->dy + GUARD, p->dw + GUARD,
                    bias ? p->db + GUARD : NULL, scratch);
    for (size_t i = bytes; i < bytes + GUARD; i++)
        ck_assert_msg(scratch[i] == 0xff, "wrote beyond its working memory");
    memory_free(scratch);
}

/* A sum of n numbers in float32, in any order, is off by at most n 2^-24 times the sum of their
 * magnitudes; the products of bf16 numbers are exact. */
static void check_array(const Problem *p, const float *got, const double *sum,
                        const double *magnitude, size_t count, bool exact, const char *what)
{
    const ConvShape *s = &p->shape;
    const double unit = exact ? 0.0 : 0x1p-24 * s->n * s->out_height * s->out_width;
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(isnan(got[i]) && isnan(got[GUARD + count + i]), "wrote beyond %s", what);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs((double)got[GUARD + i] - sum[i]) <= unit * magnitude[i],
                      "%s[%zu] is %.9g, not %.9g; n %d, %d x %d, %d -> %d, kernel %d, stride %d, "
                      "pad %d %d",
                      what, i, (double)got[GUARD + i], sum[i], s->n, s->in_height, s->in_width,
                      s->in_channels, s->out_channels, s->kernel, s->stride, s->pad_begin,
                      s->pad_end);
}

static void check_result(const Problem *p, bool exact)
{
    check_array(p, p->dw, p->dw_sum, p->dw_magnitude, p->dw_count, exact, "dw");
    check_array(p, p->db, p->db_sum, p->db_magnitude, p->db_count, exact, "db");
}

/* Whether the processor has AMX; where not, the test is skipped and says so. */
static bool available(void)
{
    if (amx_available())
        return true;
    suite_skips("AMX");
    return false;
}

static void check_shape(ConvShape shape)
{
    Problem p = problem_new(shape, true);
    for (int threads = 1; threads <= 3; threads++) {
        problem_run(&p, threads, true);
        check_result(&p, true);
    }
    problem_free(&p);
}

START_TEST(images_of_every_size_agree)
{
    const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 14, 16, 28, 32, 33};
    if (!available())
        return;
    for (int i = 0; i < 12; i++)
        for (int n = 1; n <= 17; n = n * 2 + 1) { /* 1, 3, 7, 15 */
            if (n * sizes[i] * sizes[i] > 4096)
                break;
            check_shape(square(n, sizes[i], 32, 32, 3, 1, 1, 1));
            check_shape(square(n, sizes[i], 32, 32, 1, 1, 0, 0));
        }
}
END_TEST

START_TEST(any_numbers_of_channels_agree)
{
    const int channels[] = {1, 3, 15, 16, 17, 31, 33, 48, 63, 96, 130};
    if (!available())
        return;
    for (int i = 0; i < 11; i++)
        for (int k = 0; k < 11; k++)
            check_shape(square(2, 6, channels[i], channels[k], (i + k) % 2 ? 3 : 1, 1, 1, 1));
}
END_TEST

START_TEST(strides_paddings_and_kernels_agree)
{
    if (!available())
        return;
    for (int kernel = 1; kernel <= 5; kernel++)
        for (int stride = 1; stride <= 3; stride++)
            for (int begin = 0; begin <= 2; begin++)
                for (int end = 0; end <= 2; end++)
                    check_shape(square(5, 9, 20, 36, kernel, stride, begin, end));
}
END_TEST

START_TEST(images_that_are_not_square)
{
    const ConvShape shapes[] = {
        {3, 5, 12, 40, 5, 12, 24, 3, 1, 1, 1, CONV_SQUARE},
        {2, 12, 5, 40, 6, 2, 24, 3, 2, 1, 0, CONV_SQUARE},
        {33, 1, 9, 33, 1, 9, 33, 3, 1, 1, 1, CONV_SQUARE},
        {9, 6, 40, 16, 3, 20, 16, 1, 2, 0, 0, CONV_SQUARE},
    };
    if (!available())
        return;
    for (int i = 0; i < 4; i++)
        check_shape(shapes[i]);
}
END_TEST

/* More than the buffers hold at a time, so that sums over several blocks meet. */
START_TEST(many_pixels_agree)
{
    if (!available())
        return;
    check_shape(square(4, 28, 64, 128, 3, 1, 1, 1));
    check_shape(square(3, 32, 160, 64, 3, 1, 1, 1));
    check_shape(square(4, 32, 128, 32, 3, 2, 0, 1));
    check_shape(square(2, 64, 64, 96, 1, 1, 0, 0));
    check_shape(square(64, 4, 64, 256, 3, 1, 1, 1));
}
END_TEST

START_TEST(numbers_that_round_agree)
{
    const ConvShape shapes[] = {
        square(4, 28, 32, 48, 3, 1, 1, 1), square(16, 8, 64, 64, 3, 1, 1, 1),
        square(7, 4, 40, 72, 3, 1, 1, 1),  square(8, 14, 32, 64, 3, 2, 0, 1),
        square(8, 16, 96, 32, 1, 1, 0, 0),
    };
    if (!available())
        return;
    for (int i = 0; i < 5; i++) {
        Problem p = problem_new(shapes[i], false);
        for (int threads = 1; threads <= 2; threads++) {
            problem_run(&p, threads, true);
            check_result(&p, false);
        }
        problem_free(&p);
    }
}
END_TEST

/* The same bits in every run, and with or without db. */
START_TEST(runs_agree)
{
    if (!available())
        return;
    Problem p = problem_new(square(12, 16, 64, 64, 3, 1, 1, 1), false);
    float *first = memory_small(p.dw_count, sizeof *first);
    for (int threads = 1; threads <= 5; threads++) {
        problem_run(&p, threads, true);
        memcpy(first, p.dw + GUARD, p.dw_count * sizeof *first);
        for (int run = 0; run < 5; run++) {
            problem_run(&p, threads, run > 0);
            ck_assert_mem_eq(first, p.dw + GUARD, p.dw_count * sizeof *first);
        }
    }
    memory_free(first);
    problem_free(&p);
}
END_TEST

SUITE_MAIN("weight_gradient", images_of_every_size_agree, any_numbers_of_channels_agree,
           strides_paddings_and_kernels_agree, images_that_are_not_square, many_pixels_agree,
           numbers_that_round_agree, runs_agree)
