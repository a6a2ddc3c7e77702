/* Statistics of dropout masks. A mask is an array of floats; 0 marks a dropped element. Limits are
 * five standard deviations. The numbers are the same in every run, so a test passes always or
 * never. */
#pragma once

#include <check.h>
#include <math.h>
#include <stddef.h>

static inline double fraction_zero(const float *values, size_t count)
{
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += values[i] == 0.0f;
    return (double)zeros / (double)count;
}

static inline double five_sigma(double probability, double count)
{
    return 5 * sqrt(probability * (1 - probability) / count);
}

/* Elements that two masks of probability 1/2 have in common are a half, if they are independent. */
static inline void check_independent(const float *a, const float *b, size_t count, const char *what)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += (a[i] == 0.0f) == (b[i] == 0.0f);
    double off = fabs((double)same / (double)count - 0.5);
    ck_assert_msg(off < five_sigma(0.5, (double)count), "%s: %zu of %zu are the same", what, same,
                  count);
}
