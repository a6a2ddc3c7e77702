/* Images moved at random, for training a classifier: what a picture shows doesn't depend on where. */
#pragma once

#include <stdint.h>

/* Moves each of images [count, side, side, channels], in place, by -most .. most pixels down and as many to the
 * right, all equally likely. Pixels from outside the image are 0, mid-grey. Image i of step `step` is moved as
 * (seed, step, i) say. */
void shift_at_random(uint64_t seed, uint32_t step, int most, int count, int side, int channels,
                     float *images);

/* Moves one image [side, side, channels] by `down` and `right` pixels, up and left where they are negative. */
void shift_image(float *image, int side, int channels, int down, int right);
