/* The three regression losses: what a network's output should be, and how far it is from it.
 *
 *     LOSS_EPS  ||eps - eps_hat||^2           stage 1, the mean (Ho et al. 2020, equation 14)
 *     LOSS_SN   ||eps^2 - h||^2               h -> E[eps^2 | x_t]
 *     LOSS_NPR  ||(eps - eps_hat)^2 - g||^2   g -> E[(eps - eps_hat)^2 | x_t]
 * (the last two: Bao et al. 2022b, arXiv 2206.07309; squares of vectors are elementwise). Each is
 * summed over the dimensions of an image and averaged over images. In the last two eps_hat is a
 * constant: there is a gradient with respect to the head's output only.
 */
#pragma once

#include <stddef.h>

typedef enum LossKind { LOSS_EPS, LOSS_SN, LOSS_NPR } LossKind;

/* "eps", "sn", "npr". A head is named after its loss. */
const char *loss_name(LossKind kind);

/* y [count] := what the output should be, eps^2 or (eps - eps_hat)^2, in single precision. */
void loss_targets(LossKind kind, const float *eps, const float *eps_hat, size_t count, float *y);

/* The loss, mean over `images` images (at least one) of `dims` elements each.
 *   eps, eps_hat [images * dims]  the noise drawn, the network's prediction; LOSS_SN alone does
 *                                 not read eps_hat, which may then be NULL
 *   output [images * dims]        what is judged: eps_hat itself for LOSS_EPS, else the head's
 *                                 raw output
 *   each [images]                 out: every image's own loss
 *   gradient [images * dims]      out: d loss / d output; NULL if it is not wanted
 * Differences and sums are in double and every sum has a fixed order, so that the result does
 * not depend on the number of threads. */
double loss_mean(LossKind kind, const float *eps, const float *eps_hat, const float *output,
                 size_t images, size_t dims, double *each, float *gradient);
