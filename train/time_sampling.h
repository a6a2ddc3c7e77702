/* Draws more of the timesteps whose losses are large (Nichol and Dhariwal 2021, section 3.3). With
 * the last ten losses L of each timestep,
 *
 *     p_t ~ sqrt(mean L^2), mixed with a thousandth of the uniform distribution
 *
 * and a drawn image counts 1 / (N p_t), so that the mean loss stays the same. Until every timestep
 * has ten losses, timesteps are uniform and all images count 1.
 *
 * The losses are a part of the run's checkpoint. So a run that is continued draws what it would have
 * drawn.
 */
#pragma once

#include "base/error.h"
#include "io/checkpoint.h"

enum { TIME_LOSSES = 10 };

typedef struct TimeSampler {
    /* N */
    int timesteps;
    /* [N, TIME_LOSSES]: of timestep t in row t - 1, the oldest first; and how many there are. */
    double *losses;
    double *counts;
    /* [N + 1]: the probability of a timestep up to t. NULL while timesteps are uniform. */
    double *cumulative;
    /* Room for it. */
    double *room;
} TimeSampler;

bool time_sampler_make(TimeSampler *sampler, int timesteps, Error *error);
void time_sampler_free(TimeSampler *sampler);

/* Ready for the next batch, after all losses so far. */
void time_sampler_prepare(TimeSampler *sampler);

/* The timestep for a number from 0 to 1; the sampler must not be uniform. */
int time_sampler_find(const TimeSampler *sampler, double uniform);

/* What an image at timestep t counts. */
double time_sampler_weight(const TimeSampler *sampler, int t);

/* Takes the losses of a batch in the order of its images. Losses that are not finite are left
 * out. */
void time_sampler_add(TimeSampler *sampler, const int *t, const double *losses, int count);

/* Writes the losses to a checkpoint, and reads them from one. */
bool time_sampler_write(const TimeSampler *sampler, CheckpointWriter *writer, Error *error);
bool time_sampler_read(TimeSampler *sampler, Checkpoint *checkpoint, Error *error);
