/* Tests of the search for numbers that are not finite, which looks at whole blocks: a bad number is
 * found wherever it lies, the first one counts, and large numbers are good ones. */
#include "base/finite.h"
#include "suite.h"

#include <float.h>
#include <math.h>

enum { MOST = 3000 };

static float floats[MOST];
static double doubles[MOST];

static void set(size_t i, double value)
{
    floats[i] = (float)value;
    doubles[i] = value;
}

static void fill(void)
{
    static const float good[] = {0, -0.0F, 1, FLT_MAX, -FLT_MAX, FLT_MIN, FLT_TRUE_MIN, -3.5F};
    for (size_t i = 0; i < MOST; i++)
        set(i, (double)good[i % (sizeof good / sizeof good[0])]);
}

START_TEST(finite_numbers_are_all_counted)
{
    fill();
    doubles[7] = DBL_MAX;
    doubles[8] = DBL_TRUE_MIN;
    for (size_t count = 0; count <= MOST; count++) {
        ck_assert_uint_eq(finite_floats(floats, count), count);
        ck_assert_uint_eq(finite_doubles(doubles, count), count);
    }
}
END_TEST

START_TEST(the_first_bad_number_is_found_at_every_place)
{
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < MOST; i++)
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            fill();
            set(i, bad[b]);
            set(MOST - 1, NAN); /* a later one, or the same */
            ck_assert_uint_eq(finite_floats(floats, MOST), i);
            ck_assert_uint_eq(finite_doubles(doubles, MOST), i);
            /* What lies behind the array does not count. */
            ck_assert_uint_eq(finite_floats(floats, i), i);
            ck_assert_uint_eq(finite_doubles(doubles, i), i);
        }
}
END_TEST

SUITE_MAIN("finite", finite_numbers_are_all_counted, the_first_bad_number_is_found_at_every_place)
