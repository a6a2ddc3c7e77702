/* Multiplies the rearranged factors of a block of pixels in AMX's tiles; private to
 * weight_gradient.c.
 *
 * `add` says whether results are added to the sums or replace them. weight_plan.h has the layouts
 * of the factors and of the sums.
 */
#pragma once

#include "engine/weight_plan.h"

#include <stdbool.h>

/* Between these two a thread may multiply. */
void weight_products_begin(void);
void weight_products_end(void);

/* All products of dy at `left` with one block of input channels at `right`:
 * sums [out tile][tap][2 tiles]. */
void weight_products_multiply(const Plan *plan, Pixels at, bool add, const char *left,
                              const char *right, float *sums);

/* The sum of dy at `left` over its pixels: sums [out channel]. */
void weight_products_sum(const Plan *plan, Pixels at, bool add, const char *left, float *sums);
