/* Corrections of a step's mean. Each goes with every variance.
 *
 *     eps_scale          The network's noise is too large or too small by a factor. So eps_hat is
 *                        divided by eps_scale (Ning et al. 2024, "epsilon scaling"). The
 *                        coefficients of a step contain it (diffusion/reverse.h).
 *     dcw_low, dcw_high  The sample x_s is moved away from x_0_hat, in wavelet bands (DCW: the
 *                        differential correction in the wavelet domain). It follows the step and
 *                        its noise:
 *
 *         x_s += W' diag(dcw_low w, dcw_high (1 - w), ...) W (x_s - x_0_hat)
 *
 * W is the orthonormal Haar transform of one level. dcw_low is for its low band, dcw_high for the
 * three other bands. The weight w goes from 1 at t = N to about 0 at t = 1.
 */
#pragma once

#include "diffusion/schedule.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct MeanCorrection {
    /* The divisor of eps_hat, above 0. 1 changes nothing, and neither does 0: a struct that is
     * zeroed is no correction. */
    double eps_scale;
    /* The strengths of DCW; 0 changes nothing. */
    double dcw_low, dcw_high;
} MeanCorrection;

/* The divisor of eps_hat: 1 where eps_scale is 0. */
double mean_correction_scale(const MeanCorrection *correction);

/* Whether eps_hat is scaled, and whether DCW changes samples. */
bool mean_correction_scales(const MeanCorrection *correction);
bool mean_correction_has_dcw(const MeanCorrection *correction);

/* Whether both corrections do the same. */
bool mean_correction_equal(const MeanCorrection *a, const MeanCorrection *b);

/* Appends the correction to a label: "-eps1.01-low0.05-high0.01", or nothing if it changes nothing.
 * text [size] holds a string already. */
void mean_correction_label(const MeanCorrection *correction, char *text, size_t size);

/* DCW's weight w at timestep t, 1 <= t <= N: the noise in x_t as a part of the noise in x_N,
 * sqrt(beta_bar_t / beta_bar_N). */
double mean_correction_weight(const Schedule *schedule, int t);

/* x [height, width, channels] := the sample x after DCW with weight w. x0_hat is of the same shape.
 * An odd side is continued by zeros, as the transform of the published code does. */
void mean_correction_dcw(const MeanCorrection *correction, double w, int height, int width,
                         int channels, const float *x0_hat, float *x);
