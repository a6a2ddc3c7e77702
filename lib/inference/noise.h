/* The random numbers of sampling: drawn from a seed, or read from a file.
 *
 * Drawn numbers are a function of the seed, the index of the sample, and the number of steps taken
 * before. So every variance starts from the same x_T and meets the same noise, in any batch. A
 * longer trajectory meets the numbers of a shorter one in its first steps. Elements count in the
 * order NHWC.
 *
 * A file has x_T [n, C, H, W] and noise [K-1, n, C, H, W]. noise[0] is added in the first step
 * taken, which starts at the largest t. With a file two implementations can be compared on the same
 * numbers. K = 1 takes one step, to the mean, and needs no noise.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "inference/image_array.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Noise {
    uint64_t seed;
    /* Elements of an image. */
    size_t dims;
    /* NULL: numbers are drawn, and nothing below is set. */
    Hdf5File *file;
    /* x_T and noise. */
    ImageArray start;
    ImageArray steps;
    /* [count, dims]: the noise of step `held`; -1: of none. */
    float *row;
    int64_t held;
    /* Images in the file. */
    int64_t count;
} Noise;

/* Numbers drawn from a seed, for images of `dims` elements. */
Noise noise_drawn(uint64_t seed, size_t dims);

/* Opens a file for samples in `steps` steps. noise->count becomes the number of samples that it
 * has noise for. */
bool noise_open(Noise *noise, const char *path, const Config *config, int steps, Error *error);

/* A zeroed struct is fine. */
void noise_close(Noise *noise);

/* x [count, dims] := x_T of samples first .. first + count - 1. */
bool noise_start(Noise *noise, int first, int count, float *x, Error *error);

/* z [count, dims] := the noise of these samples in the step after `step` others. */
bool noise_step(Noise *noise, int step, int first, int count, float *z, Error *error);
