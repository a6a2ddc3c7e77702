/* A correlation matrix from weighted products, and its shrinkage towards I.
 *
 * An observation is a vector r of residuals with the expected squares v: E[r_i r_j] =
 * sqrt(v_i v_j) R_ij. Let m_i >= v_i be the scale at which r_i is judged. Then R_ij is estimated by
 *
 *     sum  r_i r_j / sqrt(m_i m_j)   divided by   sum  sqrt(v_i v_j / (m_i m_j))
 *
 * over the observations. With m = v this is the mean of the normalised products. A larger m gives
 * less weight to elements whose v is small beside it. The result is divided by the roots of its
 * diagonal, so that wrong sizes of v do not change it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct CorrelationSums {
    /* The length of an observation. */
    int n;
    /* [n, n], lower triangles: the two sums. */
    double *products, *weights;
} CorrelationSums;

/* Doubles in the sums of observations of length n. */
size_t correlation_sums_size(int n);

/* The sums in `block` [correlation_sums_size(n)], which the caller owns and fills with zeros. */
CorrelationSums correlation_sums_at(double *block, int n);

/* Adds an observation: residual [n] = r / sqrt(m), deviation [n] = sqrt(v / m). An element that is
 * not observed has 0 in both. */
void correlation_sums_add(const CorrelationSums *sums, const double *residual,
                          const double *deviation);

/* to += from. */
void correlation_sums_merge(const CorrelationSums *to, const CorrelationSums *from);

/* matrix [n, n] := (1 - share) R + share I, symmetric, with a diagonal of 1. Elements that were
 * never observed together have the correlation 0. The matrix need not be positive definite, since
 * each element has weights of its own; a large enough share makes it so. */
void correlation_shrunk(const CorrelationSums *sums, double share, float *matrix);
