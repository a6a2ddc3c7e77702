/* The fit takes steps: a direction by Fisher's matrix or by Newton's system (gamma_direction.h),
 * and a search along it (gamma_search.h).
 */
#include "stats/gamma_regression.h"

#include "base/memory.h"
#include "stats/gamma_direction.h"
#include "stats/gamma_fisher.h"
#include "stats/gamma_quadratic.h"
#include "stats/gamma_search.h"
#include "stats/gamma_sums.h"

#include <math.h>
#include <string.h>

enum {
    MOST_STEPS = 100,
    MOST_FISHER = 12, /* steps */
};

static double mean_loss(const GammaState *s)
{
    return gamma_sums_along(s, 0).value;
}

static bool is_finite(const GammaState *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->features; i++)
        sum += 0 * s->gradient[i];
    return sum == 0;
}

/* Takes steps until the objective is near its minimum. */
static bool descend(GammaState *s, GammaFit *fit, Error *error)
{
    const double enough_for_newton = 0.02; /* of the decrement */
    double *slope = memory_small(s->features, sizeof *slope);
    bool ok = true;
    for (; ok && fit->steps < MOST_STEPS && !fit->converged; fit->steps++) {
        gamma_sums_gradient(s);
        gamma_quadratic(s, slope);
        for (size_t i = 0; i < s->features; i++)
            s->gradient[i] += slope[i];
        if (!is_finite(s)) {
            ok = error_runtime(error, "a regression: its numbers are not finite");
            break;
        }
        gamma_fisher_solve(s, s->gradient, s->preconditioned);
        const double decrement = gamma_dot(s, s->gradient, s->preconditioned) / 2;
        if (decrement > enough_for_newton && fit->steps < MOST_FISHER)
            gamma_direction_fisher(s);
        else
            gamma_direction_newton(s, fmax(fmin(0.3, sqrt(decrement)), 1e-3));
        const double gain = -gamma_dot(s, s->gradient, s->direction) / 2;
        fit->converged = gain < s->problem->tolerance && decrement < s->problem->tolerance;
        const double a = gamma_search_along(s, slope);
        for (size_t i = 0; i < s->features; i++)
            s->w[i] += a * s->direction[i];
        for (size_t i = 0; i < s->count; i++)
            s->l[i] += a * s->change[i];
        if (a == 0) {
            fit->converged = gain < 100 * s->problem->tolerance; /* rounding ends the descent */
            break;
        }
    }
    fit->loss = mean_loss(s);
    fit->objective = fit->loss + gamma_quadratic(s, slope);
    fit->products = s->products;
    memory_free(slope);
    return ok;
}

bool gamma_regression_fit(const GammaProblem *problem, double *w, GammaFit *fit, Error *error)
{
    GammaState s;
    *fit = (GammaFit){0};
    bool ok = gamma_state_make(&s, problem, w, error) && gamma_fisher_factorise(&s, error);
    if (ok) {
        gamma_rows_apply(s.rows, w, s.l);
        ok = descend(&s, fit, error);
    }
    gamma_state_free(&s);
    return ok;
}

void gamma_regression_constant(const GammaRows *rows, const double *r, double *w)
{
    const size_t count = rows->first(rows->context, rows->chunks);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += r[i];
    memset(w, 0, (size_t)rows->features * sizeof *w);
    w[rows->features - 1] = sum > 0 ? log(sum / (double)count) : 0;
}

bool gamma_regression_loss(const GammaRows *rows, const double *r, const double *weight,
                           const double *w, double *loss, Error *error)
{
    const size_t count = rows->first(rows->context, rows->chunks);
    double *l = memory_large(count, sizeof(double), "a regression", error), sum = 0;
    if (!l)
        return false;
    gamma_rows_apply(rows, w, l);
    for (size_t i = 0; i < count; i++)
        sum += (weight ? weight[i] : 1) * (l[i] + r[i] * exp(-l[i]));
    *loss = count > 0 ? sum / (double)count : NAN;
    memory_free(l);
    return true;
}
