/* The one-dimensional transforms of Winograd's algorithm F(4, 3), on vectors of channels.
 *
 * Four outputs of a convolution with three taps are a product of polynomials, transposed (Toom and
 * Cook): the polynomials are evaluated at the points 0, +-A, +-B and infinity, multiplied there,
 * and the product is interpolated. The taps' transform contains the divisors of the interpolation.
 * F(3, 4), for the gradient, has the same points, four taps and three outputs. There the outputs'
 * transform contains the divisors, because it runs less often.
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

/* Points and outputs are computed in parts, whose members share arithmetic. The parts of the points
 * are 0, +-A, +-B and infinity. The parts of the outputs are the even and the odd ones. */
enum { POINT_PARTS = 4, OUTPUT_PARTS = 2, MOST_IN_PART = 2 };

INLINED int part_size(int part)
{
    return part == 0 || part == 3 ? 1 : 2;
}

/* Six pixels to the points of a part: B'. */
INLINED void pixels_to_part(int part, Vec *y, const Vec x[6])
{
    if (part == 0) {
        y[0] = x[4] - (A2 + B2) * x[2] + N0 * x[0];
    } else if (part == 3) {
        y[0] = x[5] - (A2 + B2) * x[3] + N0 * x[1];
    } else {
        const float here = part == 1 ? A : B, others = part == 1 ? B2 : A2;
        const Vec even = x[4] - others * x[2], odd = x[3] - others * x[1];
        y[0] = even + here * odd;
        y[1] = even - here * odd;
    }
}

INLINED void pixels_to_points(Vec y[6], const Vec x[6])
{
    pixels_to_part(0, y, x);
    pixels_to_part(1, y + 1, x);
    pixels_to_part(2, y + 3, x);
    pixels_to_part(3, y + 5, x);
}

/* Three taps, or four, to the points of a part: G. The products of the differences divide either
 * the taps, if `divided`, or the outputs. */
INLINED void taps_to_part(int taps, bool divided, int part, Vec *y, const Vec *x)
{
    const float zero = divided ? 1 / N0 : 1.0f, a = divided ? 1 / NA : 1.0f;
    const float b = divided ? 1 / NB : 1.0f;
    if (part == 0) {
        y[0] = zero * x[0];
    } else if (part == 3) {
        y[0] = x[taps - 1];
    } else {
        const float here = part == 1 ? A : B, factor = part == 1 ? a : b;
        const Vec even = factor * x[0] + factor * here * here * x[2];
        Vec odd = x[1];
        if (taps == 4)
            odd += here * here * x[3];
        y[0] = even + factor * here * odd;
        y[1] = even - factor * here * odd;
    }
}

INLINED void taps_to_points(int taps, bool divided, Vec y[6], const Vec *x)
{
    taps_to_part(taps, divided, 0, y, x);
    taps_to_part(taps, divided, 1, y + 1, x);
    taps_to_part(taps, divided, 2, y + 3, x);
    taps_to_part(taps, divided, 3, y + 5, x);
}

/* Six points to outputs 0 and 2 (part 0), or 1 and 3 (part 1), of three or four: A'. `divided` says
 * the same as of the taps. */
INLINED void points_to_part(int outputs, bool divided, int part, Vec *y, const Vec x[6])
{
    const float zero = divided ? 1.0f : 1 / N0, a = divided ? 1.0f : 1 / NA;
    const float b = divided ? 1.0f : 1 / NB;
    if (part == 0) {
        const Vec sum_a = x[1] + x[2], sum_b = x[3] + x[4];
        y[0] = zero * x[0] + a * sum_a + b * sum_b;
        y[1] = A2 * a * sum_a + B2 * b * sum_b;
        if (outputs == 3)
            y[1] += x[5];
    } else {
        const Vec difference_a = x[1] - x[2], difference_b = x[3] - x[4];
        y[0] = A * a * difference_a + B * b * difference_b;
        if (outputs == 4)
            y[1] = A * A2 * a * difference_a + (B * B2 * b * difference_b + x[5]);
    }
}

INLINED void points_to_outputs(int outputs, bool divided, Vec *y, const Vec x[6])
{
    Vec even[MOST_IN_PART], odd[MOST_IN_PART];
    points_to_part(outputs, divided, 0, even, x);
    points_to_part(outputs, divided, 1, odd, x);
    y[0] = even[0];
    y[1] = odd[0];
    y[2] = even[1];
    if (outputs == 4)
        y[3] = odd[1];
}

#undef A
#undef B
#undef A2
#undef B2
#undef N0
#undef NA
#undef NB
