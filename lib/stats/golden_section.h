/* The minimum of a function of one number, by golden-section search (Kiefer 1953). It needs no
 * derivative, and one value for each step that makes the interval 0.618 times as long. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* A function of one number, which may fail. */
typedef struct Scalar {
    /* *value := the function at x. */
    bool (*value)(void *context, double x, double *value, Error *error);
    /* Borrowed. */
    void *context;
} Scalar;

/* *best := the place of the smallest of `values` values, two at least, inside [low, high]; its value
 * goes to *least. The place is within 0.618^(values - 1) of the interval's length of the minimum if
 * the function falls and then rises. False if a value fails; NAN counts as larger than any number. */
bool golden_section(const Scalar *function, double low, double high, int values, double *best,
                    double *least, Error *error);
