/* Rearranges dy and the input of a block of pixels to the factors that AMX's tiles multiply;
 * private to weight_gradient.c.
 *
 * Channels, columns and images that do not exist become zeros. weight_plan.h has the layouts.
 */
#pragma once

#include "engine/weight_plan.h"

/* left := dy, all tiles of output channels. */
void weight_factors_left(char *left, const Plan *plan, Pixels at, const uint16_t *dy);

/* right := the input that the block's pixels meet, for the blocks of input channels
 * [first_block, last_block). Rows above and below the image stay as they are. */
void weight_factors_right(char *right, const Plan *plan, Pixels at, const uint16_t *x,
                          int first_block, int last_block);
