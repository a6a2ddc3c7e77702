/* The random numbers of sampling: drawn from a seed, or taken from a file.
 *
 * Drawn, they are a pure function of the seed, the sample's index and the number of steps taken
 * before: every variance starts from the same x_T and meets the same noise, whatever the batch, and
 * so does a longer trajectory as far as a shorter one goes. (Elements count in NHWC order.)
 *
 * A file has x_T [n, C, H, W] and noise [K-1, n, C, H, W], noise[0] being added in the first step
 * taken, the one from the largest t; so two implementations can be compared on the same numbers.
 * K = 1 takes one step, to the mean, and needs no noise.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "inference/image_array.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Noise {
    uint64_t seed;
    size_t dims;    /* elements of an image */
    Hdf5File *file; /* NULL: drawn */
    ImageArray start;
    ImageArray steps;
    float *row;    /* [count, dims]: one row of noise */
    int64_t held;  /* which row that is; -1: none */
    int64_t count; /* images in the file */
} Noise;

Noise noise_drawn(uint64_t seed, size_t dims);

/* Opens the file for samples in `steps` steps; noise->count is then how many it is for. */
bool noise_open(Noise *noise, const char *path, const Config *config, int steps, Error *error);
void noise_close(Noise *noise); /* fine on a zeroed struct */

/* x [count, dims] := x_T of samples first .. first + count - 1. */
bool noise_start(Noise *noise, int first, int count, float *x, Error *error);

/* z [count, dims] := their noise in a step before which `step` steps were taken. */
bool noise_step(Noise *noise, int step, int first, int count, float *z, Error *error);
