/* The one-dimensional transforms of Winograd's algorithm F(4, 3), on vectors of channels.
 *
 * Four outputs of a convolution with three taps are a product of polynomials, transposed (Toom and
 * Cook): the polynomials are evaluated at the points 0, +-A, +-B and infinity, multiplied there,
 * and the product is interpolated. The divisors of the interpolation are put into the taps'
 * transform. F(3, 4), for the gradient, has the same points, four taps and three outputs.
 *
 * A = 5/8 and B = 3/2 are exact in binary. Their rounding errors are less than half of those of the
 * textbook's points 1 and 2: the smaller the powers of the points and their inverses are, the less
 * cancels.
 *
 * Included by winograd_code.h, which defines LANES.
 */
#include "base/dispatch.h"
#include "engine/winograd_kernels.h"

typedef float Vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Four floats, of any vector. */
typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));

INLINED Vec load_vec(const float *from)
{
    return *(const Vec *)from;
}

INLINED void store_vec(float *to, Vec x)
{
    *(Vec *)to = x;
}

INLINED Vec splat(float x)
{
    return x - (Vec){0};
}

#define A 0.625f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)
/* The products of the differences between a point and the others. */
#define N0 (A2 * B2)
#define NA (2 * A2 * (A2 - B2))
#define NB (2 * B2 * (B2 - A2))

/* Six pixels to six points: B'. */
INLINED void pixels_to_points(Vec y[6], const Vec x[6])
{
    const Vec even_a = x[4] - B2 * x[2], odd_a = A * (x[3] - B2 * x[1]);
    const Vec even_b = x[4] - A2 * x[2], odd_b = B * (x[3] - A2 * x[1]);
    y[0] = x[4] - (A2 + B2) * x[2] + N0 * x[0];
    y[1] = even_a + odd_a;
    y[2] = even_a - odd_a;
    y[3] = even_b + odd_b;
    y[4] = even_b - odd_b;
    y[5] = x[5] - (A2 + B2) * x[3] + N0 * x[1];
}

/* Three or four taps to six points: G. */
INLINED void taps_to_points(int taps, Vec y[6], const Vec *x)
{
    Vec even_a = 1 / NA * x[0] + A2 / NA * x[2], odd_a = A / NA * x[1];
    Vec even_b = 1 / NB * x[0] + B2 / NB * x[2], odd_b = B / NB * x[1];
    if (taps == 4) {
        odd_a += A * A2 / NA * x[3];
        odd_b += B * B2 / NB * x[3];
    }
    y[0] = 1 / N0 * x[0];
    y[1] = even_a + odd_a;
    y[2] = even_a - odd_a;
    y[3] = even_b + odd_b;
    y[4] = even_b - odd_b;
    y[5] = x[taps - 1];
}

/* Six points to three or four outputs: A'. */
INLINED void points_to_outputs(int outputs, Vec *y, const Vec x[6])
{
    const Vec sum_a = x[1] + x[2], difference_a = A * (x[1] - x[2]);
    const Vec sum_b = x[3] + x[4], difference_b = B * (x[3] - x[4]);
    y[0] = x[0] + sum_a + sum_b;
    y[1] = difference_a + difference_b;
    y[2] = A2 * sum_a + B2 * sum_b;
    if (outputs == 4)
        y[3] = A2 * difference_a + B2 * difference_b + x[5];
    else
        y[2] += x[5];
}

#undef A
#undef B
#undef A2
#undef B2
#undef N0
#undef NA
#undef NB
