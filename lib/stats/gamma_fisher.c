/* LAPACK makes Cholesky's factor and solves with it. The factor only guides the steps of a fit, so
 * a singular matrix is mended by a little more diagonal.
 */
#include "stats/gamma_fisher.h"

#include "base/memory_limit.h"
#include "stats/gamma_quadratic.h"

#include <lapacke.h>
#include <string.h>

/* factor := that of fisher + pull matrix + ridge + `more` times the diagonal. LAPACK stores
 * matrices column by column, so our lower triangle by rows is its upper triangle. */
static bool factorise(const GammaState *s, double more)
{
    const lapack_int n = (lapack_int)s->features;
    const double *fisher = s->problem->fisher, *matrix = s->problem->matrix;
    const double pull = s->problem->pull;
    for (size_t i = 0, at = 0; i < s->features; i++) {
        double *row = s->factor + i * s->features;
        for (size_t j = 0; j <= i; j++, at++)
            row[j] = fisher[at] + (pull > 0 ? pull * matrix[at] : 0);
        /* A feature that is always 0 gets the weight 0. */
        row[i] += row[i] > 0 ? gamma_ridge(s, i) + more * row[i] : 1;
    }
    const bool positive = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, s->factor, n) == 0;
    memory_limit_lapack_used();
    return positive;
}

bool gamma_fisher_factorise(const GammaState *s, Error *error)
{
    static const double more[] = {1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (factorise(s, more[i]))
            return true;
    return error_runtime(error, "a regression: its features are not finite");
}

void gamma_fisher_solve(const GammaState *s, const double *v, double *out)
{
    const lapack_int n = (lapack_int)s->features;
    memmove(out, v, s->features * sizeof *out);
    LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', n, 1, s->factor, n, out, n);
}
