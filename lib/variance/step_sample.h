/* A reverse step of one image, with any variance. */
#pragma once

#include "variance/estimate.h"

/* x_s [dims] := a sample of `step` from x_t [dims]; x_s may be x_t. step->s = 0 gives the mean.
 *   eps_hat, head [dims]  the network's prediction, and the raw output of variance->head; head is
 *                         NULL if the variance has none
 *   draw_head [dims]      the raw output of variance->draw_head; NULL if it has none
 *   z [dims]              N(0, I) numbers; may be NULL where s = 0
 *   cov [dims]            scratch
 * `step` was made with the ReverseOptions.variance variance->step. Several threads may call it at
 * once. */
void step_sample(const EstimateSource *source, const Variance *variance, const ReverseStep *step,
                 const float *x_t, const float *eps_hat, const float *head, const float *draw_head,
                 const float *z, float *cov, float *x_s);
