/* Whether a primitive computes what it should: its result is compared with plain loops in double.
 *
 * The primitive runs once, at its full size, on random numbers. Some fifty elements are compared:
 * the corners of the result (the first and the last image, row, column and channel, where padding
 * would show) and others at random. Scratch memory, and the elements to be compared, are filled
 * with NaN before. What is allowed is what rounding may do (product_reference.h).
 *
 * Random numbers and results take memory, some tens of MB for a large batch, that checks share.
 */
#pragma once

#include "engine/primitive_internal.h"

typedef enum Check {
    CHECK_RIGHT,
    /* The error says where the result differs and what was expected. */
    CHECK_WRONG,
    /* For want of memory; the error says so. */
    CHECK_FAILED,
} Check;

/* *off: the largest error found, as a share of the error that is allowed. */
Check product_check(Primitive *primitive, double *off, Error *error);

/* Releases the memory that checks share. To be called when a series of products has been made. */
void product_check_end(void);
