/* The step term of the bound for a covariance that is known by its spectrum, dense or by quadrature.
 *
 * Let C be the estimate of Cov[x_0 | x_t], with the eigenvalues c_i and the eigenvectors u_i, and r
 * = x_0 - x_0_hat. The step's covariance is lambda^2 (I + kappa C), so that the term of
 * diffusion/likelihood.h becomes
 *
 *     KL = 1/2 sum  log(1 + kappa c_i) - kappa c_i / (1 + kappa c_i)
 *                   + kappa (u_i' r)^2 / (1 + kappa c_i).
 *
 * The first two parts are the trace of a function of C, the third is r' f(C) r. Lanczos quadrature
 * has the same form with fewer values c_i: those of a space that begins with r for the third part,
 * and for the trace those of spaces that begin with random vectors (Ubaru, Chen and Saad 2017).
 */
#pragma once

#include <stddef.h>

/* `groups` groups of `size` entries. A dense spectrum is one group. A quadrature has the group of r,
 * without weights, and a group for each random vector, without squares. */
typedef struct Spectrum {
    int groups, size;
    /* [groups, size] each: eigenvalues; how many of the d eigenvalues an entry stands for; and its
     * share of |r|^2. Weights add up to d, squares to |r|^2. Owned by who made them. */
    double *value, *weight, *square;
} Spectrum;

/* The term in nats. Eigenvalues above `most` are lowered to it; INFINITY: no bound.
 *   error2   := the square of the quadrature's standard error, from the spread of the random
 *               vectors; 0 for a dense spectrum, NaN for one random vector. The error of spaces that
 *               are small is not in it. */
double spectrum_step(const Spectrum *spectrum, double kappa, double most, double *error2);

/* The number c for which the weighted mean of min(value, c) is `mean`, for values [count] of 0 and
 * more. INFINITY: their mean is at most `mean`, or it is NaN. */
double spectrum_most(const double *value, const double *weight, size_t count, double mean);
