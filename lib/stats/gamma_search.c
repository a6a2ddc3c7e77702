/* Newton's method between bounds, since the objective is convex. */
#include "stats/gamma_search.h"

#include "stats/gamma_quadratic.h"

#include <math.h>
#include <string.h>

/* Steps tried along one direction. */
enum { MOST_TRIES = 60 };

/* The objective along the direction, up to a constant. `slope` and `curvature` are those of the
 * quadratic terms. */
static GammaAlong objective_along(const GammaState *s, double a, double slope, double curvature)
{
    GammaAlong along = gamma_sums_along(s, a);
    along.value += slope * a + curvature * a * a / 2;
    along.slope += slope + curvature * a;
    along.curvature += curvature;
    return along;
}

/* Newton's next step from `a`, between the bounds. Far beyond the minimum the objective grows as an
 * exponential, on which Newton's method creeps: there the step becomes a quarter. */
static double next_try(GammaAlong here, double a, double low, double high, bool lower)
{
    const double newton = a - here.slope / here.curvature, quarter = low + (a - low) / 4;
    if (high == INFINITY)
        return newton > a && newton < 4 * a ? newton : 4 * a;
    if (!lower && here.slope > 0)
        return newton > low && newton < quarter ? newton : quarter;
    return newton > low && newton < high ? newton : (low + high) / 2;
}

double gamma_search_along(GammaState *s, const double *quadratic_slope)
{
    const double enough = 0.05; /* of the slope at 0 */
    memset(s->product, 0, s->features * sizeof(double));
    gamma_quadratic_add(s, s->direction, s->product);
    const double slope = gamma_dot(s, quadratic_slope, s->direction);
    const double curvature = gamma_dot(s, s->product, s->direction);
    const GammaAlong start = objective_along(s, 0, slope, curvature);
    double low = 0, high = INFINITY, a = 1;
    for (int i = 0; i < MOST_TRIES; i++) {
        const GammaAlong here = objective_along(s, a, slope, curvature);
        const bool lower = here.value < start.value;
        if (lower && fabs(here.slope) <= enough * fabs(start.slope))
            return a;
        if (here.slope < 0)
            low = a;
        else
            high = a; /* also if the value is infinite or NaN */
        const double next = next_try(here, a, low, high, lower);
        if (next == a || high - low < 1e-6 * high)
            break;
        a = next;
    }
    return objective_along(s, low, slope, curvature).value < start.value ? low : 0;
}
