/* The spectrum of the variance full for bounds (diffusion/spectrum.h), at images x_t.
 *
 *     quadrature   a Krylov space that begins with r = x_0 - x_0_hat, and one for each random vector
 *                  of signs: (1 + probes) m products with S, of PRODUCT_PASSES passes each.
 *                  Memory: that of the spaces, m + 4 images in double for each image of a batch
 *     dense        the Jacobian row by row, a forward and a backward pass for each of the d elements;
 *                  J is symmetrised and LAPACK finds the eigenvalues. Memory: 3 d^2 numbers
 *
 * Negative eigenvalues count as 0, and the largest are lowered, as they are in draws
 * (inference/full_options.h). A quadrature takes the mean of all eigenvalues over its random vectors.
 */
#pragma once

#include "diffusion/spectrum.h"
#include "inference/full_options.h"
#include "inference/network.h"

typedef struct FullSpectrum FullSpectrum;

/* An input error if the options want a dense Jacobian of more than FULL_MOST_DENSE elements. */
bool full_spectrum_check(const Network *network, const FullOptions *options, Error *error);

/* The network must be prepared, and stay so. */
bool full_spectrum_make(FullSpectrum **full, Network *network, const FullOptions *options,
                        uint64_t seed, Error *error);
void full_spectrum_free(FullSpectrum *full); /* NULL is fine */

/* The spectra [count] of images first .. first + count - 1 of a set at timestep t, at most
 * network_batch of them; NULL after an error. They live until the next call. A BoundSpectra
 * (evaluation/bound_task.h): `context` is the FullSpectrum.
 *   x_t, r [count, dims]   the images, and x_0 - x_0_hat
 * The random vectors are a function of the seed, the image's index and t. */
const Spectrum *full_spectrum_find(void *context, int t, int first, int count, const float *x_t,
                                   const double *r, Error *error);

/* The eigenvalues of Cov that all spectra have had. */
FullSeen full_spectrum_seen(const FullSpectrum *full);
