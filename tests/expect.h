/* Expectations of tests: calls that succeed, calls that fail with the right line, and small
 * numerical errors.
 *
 * A suite that uses assert_ok and assert_fails declares `static Error error;`, the error of the
 * last call, and gives &error to its calls.
 */
#pragma once

#include "base/error.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* The larger of the two, and NaN where one of them is NaN, which fmax would forget: the largest of many
 * errors is no more than a tolerance only if all of them are numbers. */
static inline double larger(double a, double b)
{
    return a >= b || isnan(a) ? a : b;
}

/* The smaller, or NaN likewise. */
static inline double smaller(double a, double b)
{
    return -larger(-a, -b);
}

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        error.message[0] = '\0';                                                                   \
        if (!(call))                                                                               \
            ck_abort_msg("%s", error.message);                                                     \
    } while (0)

/* The call fails with an error of that kind whose message contains the text. */
#define assert_fails_as(call, expected_kind, text)                                                 \
    do {                                                                                           \
        error = (Error){0};                                                                        \
        ck_assert_msg(!(call), "no error where expected: %s", text);                               \
        ck_assert_int_eq(error.kind, expected_kind);                                               \
        ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" lacks \"%s\"", error.message,   \
                      text);                                                                       \
    } while (0)

/* Of something that the user can mend. */
#define assert_fails(call, text) assert_fails_as(call, ERROR_INPUT, text)
