/* The forward process: it makes training pairs (x_t, eps) from clean images. */
#pragma once

#include "diffusion/schedule.h"

#include <stddef.h>
#include <stdint.h>

/* x_t := sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps.
 *   x_0, eps, x_t [images, dims]  x_t may be the same array as x_0 or eps
 *   t [images]                    the timestep of each image, 0 <= t[i] <= N */
void forward_noise(const Schedule *schedule, const int *t, const float *x_0, const float *eps,
                   size_t images, size_t dims, float *x_t);

/* Names the random numbers of one training batch. */
typedef struct BatchKey {
    uint64_t seed;
    /* 1 or 2. The two stages draw independent numbers. */
    uint32_t stage;
    uint32_t step;
    /* The index, in the whole batch, of the first image drawn here. */
    uint32_t first;
} BatchKey;

/* t [images] := timesteps, uniform in 1 .. N; eps [images, dims] := N(0, 1) numbers. The numbers of
 * image i depend on the key and on first + i alone. So they stay the same however the batch is
 * split. */
void forward_draw(const Schedule *schedule, BatchKey key, size_t images, size_t dims, int *t,
                  float *eps);
