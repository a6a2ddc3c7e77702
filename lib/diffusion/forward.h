/* The forward process: clean images become training pairs (x_t, eps). */
#pragma once

#include "diffusion/schedule.h"

#include <stddef.h>
#include <stdint.h>

/* x_t := sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps for `images` images of `dims` elements
 * each, image i at its own timestep t[i], 0 <= t[i] <= N. x_t may be x_0 or eps. */
void forward_noise(const Schedule *schedule, const int *t, const float *x_0, const float *eps,
                   size_t images, size_t dims, float *x_t);

/* Names the random numbers of one training batch. */
typedef struct BatchKey {
    uint64_t seed;
    uint32_t stage; /* 1 or 2: the stages draw independently of one another */
    uint32_t step;
    uint32_t first; /* index in the whole batch of the first image drawn here */
} BatchKey;

/* t [images] := timesteps uniform in 1 .. N; eps [images * dims] := N(0, 1) numbers. Image i's
 * are a function of the key and first + i alone, however the batch is split. */
void forward_draw(const Schedule *schedule, BatchKey key, size_t images, size_t dims, int *t,
                  float *eps);
