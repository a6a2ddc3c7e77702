/* The images of infer quality: held-out real images, and samples rounded to the levels of a
 * picture. */
#pragma once

#include "base/error.h"
#include "inference/network.h"

/* Real images. The first half is the reference that samples are compared with. The second half is
 * compared with the first for the floor: the value that real images reach. */
typedef struct RealImages {
    /* x_0 [2 * count, dims]. */
    float *pixels;
    /* The number of images of one half. */
    int count;
    /* The name of the data set, and its fingerprint. */
    char *data;
    uint64_t print;
} RealImages;

/* Draws 2 * count different test images. If count is IMAGES_UNSET (--images not given), it becomes
 * the smaller of `samples` and half the number of test images. If training mirrors images at
 * random, these are mirrored too: the model has learnt the mirrored distribution. An input error if
 * the configuration names no test images, or if there are too few. The caller frees, also after an
 * error. */
bool real_images_read(RealImages *real, const Network *network, int64_t count, int64_t samples,
                      uint64_t seed, Error *error);
void real_images_free(RealImages *real); /* fine on a zeroed struct */

/* Rounds samples to the grey levels of a picture, 2u/255 - 1. Samples of the mixture, whose data
 * are not pictures, stay as they are. */
void samples_round(const Network *network, float *images, size_t count);
