/* The noise of another implementation's bound: an HDF5 file with timesteps /t [K], and /eps
 * [K, n, C, H, W], the noise that makes x_t of n images at each of them.
 */
#pragma once

#include "base/error.h"
#include "inference/image_array.h"

typedef struct NllNoise {
    const char *path;
    Hdf5File *file;
    ImageArray eps;
    size_t dims;
    /* [count] */
    int64_t *t;
    int64_t count;
    /* [images, dims]: the noise at one timestep */
    float *row;
    /* The index of that timestep in t; -1: none yet. */
    int64_t loaded;
} NllNoise;

/* Opens the file and checks its shapes for this many images. `path` must outlive the noise. */
bool nll_noise_open(NllNoise *noise, const char *path, const Config *config, int images,
                    Error *error);
void nll_noise_close(NllNoise *noise); /* fine on a zeroed struct */

/* An input error unless the file has noise for timestep t. */
bool nll_noise_has(const NllNoise *noise, int t, Error *error);

/* A BoundNoise (evaluation/bound.h); `context` is the NllNoise. */
bool nll_noise_read(void *context, int t, int first, int count, float *eps, Error *error);
