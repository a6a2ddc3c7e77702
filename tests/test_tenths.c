/* Tests of tenths of elements by their estimates: against a sort, with equal estimates, and where
 * numbers are none. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "evaluation/tenths.h"

#include <math.h>
#include <stdlib.h>

enum { COUNT = 700 };

static double uniform(uint32_t index)
{
    return random_uniform((RandomKey){.seed = 5}, index);
}

/* An element for the reference. */
typedef struct Element {
    float c;
    double off2;
} Element;

static int by_estimate(const void *a, const void *b)
{
    const Element *one = a, *other = b;
    return (one->c > other->c) - (one->c < other->c);
}

/* Estimates two sixteenths apart or more, in an order of their own. */
static void fill(Element *elements)
{
    for (int i = 0; i < COUNT; i++) {
        const int rank = i * 37 % COUNT; /* 37 and 700 have no common factor */
        elements[i] =
            (Element){.c = (float)(1e-5 * pow(1.2, rank / 10)),
                      .off2 = uniform((uint32_t)i) * pow(10, -4 * uniform((uint32_t)(COUNT + i)))};
    }
}

static double mean_of(const double *tenths)
{
    double sum = 0;
    for (int k = 0; k < TENTHS; k++)
        sum += tenths[k];
    return sum / TENTHS;
}

/* Ten elements have each estimate, so that no estimate lies in two tenths. */
START_TEST(tenths_are_those_of_sorted_elements)
{
    static Element elements[COUNT];
    static float cov[COUNT];
    static double off2[COUNT];
    double square[TENTHS], fourth[TENTHS], all = 0;
    fill(elements);
    for (int i = 0; i < COUNT; i++)
        cov[i] = elements[i].c, off2[i] = elements[i].off2;
    tenths_of(cov, off2, COUNT, square, fourth);
    qsort(elements, COUNT, sizeof *elements, by_estimate);
    for (int k = 0; k < TENTHS; k++) {
        double one = 0, two = 0;
        for (int i = k * COUNT / TENTHS; i < (k + 1) * COUNT / TENTHS; i++) {
            const double ratio = elements[i].off2 / (double)elements[i].c;
            one += ratio, two += ratio * ratio, all += ratio;
        }
        one /= COUNT / TENTHS, two /= COUNT / TENTHS;
        ck_assert_double_eq_tol(square[k], one, 1e-12 * one);
        ck_assert_double_eq_tol(fourth[k], two, 1e-12 * two);
    }
    ck_assert_double_eq_tol(mean_of(square), all / COUNT, 1e-12 * all);
    ck_assert(square[0] > 10 * square[9]); /* the errors do not grow with the estimates */
}
END_TEST

/* One estimate for all elements, for any number of them: every tenth is the whole. */
START_TEST(equal_estimates_have_equal_tenths)
{
    for (size_t count = 1; count <= 45; count++) {
        float cov[45];
        double off2[45], square[TENTHS], fourth[TENTHS], one = 0, two = 0;
        for (size_t i = 0; i < count; i++) {
            const double ratio = (off2[i] = uniform((uint32_t)i)) / 0.25;
            cov[i] = 0.25f;
            one += ratio / (double)count, two += ratio * ratio / (double)count;
        }
        tenths_of(cov, off2, count, square, fourth);
        for (int k = 0; k < TENTHS; k++) {
            ck_assert_double_eq_tol(square[k], one, 1e-9 * one);
            ck_assert_double_eq_tol(fourth[k], two, 1e-9 * two);
        }
    }
}
END_TEST

/* Estimates below the variance of rounding count as it, and large ones keep their order. */
START_TEST(extremes_have_their_tenths)
{
    float cov[TENTHS] = {-1, 0, 1e-30f, 1e-3f, 0.1f, 1, 10, 48, 1e6f, INFINITY};
    double off2[TENTHS], square[TENTHS], fourth[TENTHS];
    for (int k = 0; k < TENTHS; k++)
        off2[k] = 1e-6 * (k + 1);
    tenths_of(cov, off2, TENTHS, square, fourth);
    for (int k = 0; k < 3; k++) /* not told apart */
        ck_assert_double_eq_tol(square[k], 2e-6 / GREY_LEVEL_VARIANCE, 1e-6);
    for (int k = 3; k < 8; k++)
        ck_assert_double_eq_tol(square[k], off2[k] / (double)cov[k], 1e-12 * square[k]);
    ck_assert(square[8] == square[9] && square[8] < 1e-10);
    cov[5] = NAN;
    tenths_of(cov, off2, TENTHS, square, fourth);
    ck_assert(isnan(square[9]) && isnan(fourth[9]));
    ck_assert(!isnan(square[0]));
}
END_TEST

SUITE_MAIN("tenths", tenths_are_those_of_sorted_elements, equal_estimates_have_equal_tenths,
           extremes_have_their_tenths)
