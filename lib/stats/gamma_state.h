/* The state of a fit; private to gamma_regression.c and the files that it calls.
 *
 * For each row the fit keeps l and the change of l along the direction. So the search along a
 * direction, and the slopes at its end, read no features. The features are read once for each
 * direction's gradient, and once for each product with the Hessian.
 */
#pragma once

#include "base/error.h"
#include "stats/gamma_problem.h"

/* The strips of chunks that sums over rows are made in (gamma_sums.c). */
enum { GAMMA_STRIPS = 16 };

typedef struct GammaState {
    const GammaProblem *problem;
    const GammaRows *rows;
    size_t features, count;
    /* The rows of the largest chunk. */
    size_t chunk;
    /* [count]: l; its change along the direction; the same along a vector of conjugate gradients;
     * and the weights of the Hessian. */
    double *l, *change, *part, *weight;
    /* [P, P]: Fisher's matrix with the ridge and the pull, as Cholesky's factor in its lower
     * triangle by rows. */
    double *factor;
    /* [GAMMA_STRIPS, P], [GAMMA_STRIPS, chunk] */
    double *strips, *slopes;
    /* [P] */
    double *w, *gradient, *direction;
    /* [P]: conjugate gradients. */
    double *residual, *preconditioned, *search, *product;
    int products;
} GammaState;

/* w [P] is where the fit begins; it is borrowed. The other arrays are not set yet. It fails for
 * want of memory, or if there are no rows; gamma_state_free is due all the same. */
bool gamma_state_make(GammaState *s, const GammaProblem *problem, double *w, Error *error);
void gamma_state_free(GammaState *s);

static inline double gamma_dot(const GammaState *s, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < s->features; i++)
        sum += a[i] * b[i];
    return sum;
}
