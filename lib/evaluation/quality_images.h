/* The images of infer quality: real ones that were held out, and samples as a picture would show them. */
#pragma once

#include "base/error.h"
#include "inference/network.h"

/* x_0 [2 * count, dims]: those that samples are compared with, then as many others for the floor. */
typedef struct RealImages {
    float *pixels;
    int count;  /* of one half */
    char *data; /* where they are from */
} RealImages;

/* Draws 2 * count of the test images, all different; --images not given (IMAGES_UNSET): as many as `samples`,
 * or half of what there is. Where training mirrors images at random, so does this: what the model has
 * learnt is the mirrored distribution. */
bool real_images_read(RealImages *real, const Network *network, int64_t count, int64_t samples,
                      uint64_t seed, Error *error);
void real_images_free(RealImages *real); /* fine on a zeroed struct */

/* Rounds samples to the grey levels of a picture, 2u/255 - 1, where the data set consists of pictures; samples of
 * the mixture stay as they are. */
void samples_round(const Network *network, float *images, size_t count);
