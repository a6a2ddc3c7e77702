/* Gamma regression with a logarithmic link: the likelihood of squares whose size depends on
 * features.
 *
 * A row is a vector phi of P features, the last of them 1, and a number r >= 0. The model says that
 * r has the mean exp(l), l = w' phi. The loss is the mean over rows of
 *
 *     l + r exp(-l)
 *
 * which is twice the negative log likelihood of a normal number with the square r and the variance
 * exp(l), without its constant (McCullagh and Nelder 1989, chapter 8: the gamma family has the same
 * loss). It is convex in w. Its Hessian is the mean of r exp(-l) phi phi'. The expected Hessian, of
 * which r exp(-l) has the mean 1, is the mean of phi phi', Fisher's matrix: the matrix of least
 * squares, whatever r is.
 *
 * The fit begins with Fisher scoring, which goes safely where r spans decades, and ends with
 * Newton's method, which then converges fast. Newton's system is solved by conjugate gradients,
 * which need products of the Hessian with vectors only, and which Fisher's matrix preconditions.
 * Every step goes to the minimum along its direction, so that the loss never rises.
 */
#pragma once

#include "base/error.h"
#include "stats/gamma_problem.h"

typedef struct GammaFit {
    /* The mean of l + r exp(-l), and with the terms of the ridge and the pull. */
    double loss, objective;
    /* Steps, products of the Hessian with a vector, and whether the tolerance was reached. (Without
     * a ridge the loss need not have a minimum, if some r are 0.) */
    int steps, products;
    bool converged;
} GammaFit;

/* w [P] := the minimum. w at the start is where the fit begins. A run-time error for want of
 * memory, if there are no rows, or if numbers are not finite. The result does not depend on the
 * number of threads. */
bool gamma_regression_fit(const GammaProblem *problem, double *w, GammaFit *fit, Error *error);

/* w [P] := 0, but for the intercept: the best constant. */
void gamma_regression_constant(const GammaRows *rows, const double *r, double *w);

/* *loss := the mean of l + r exp(-l) over the rows, times the rows' weights unless `weight` is
 * NULL; NAN if there are no rows. It fails for want of memory. */
bool gamma_regression_loss(const GammaRows *rows, const double *r, const double *weight,
                           const double *w, double *loss, Error *error);
