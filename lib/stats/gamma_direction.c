/* Newton's system is solved by conjugate gradients, which Fisher's matrix preconditions. */
#include "stats/gamma_direction.h"

#include "stats/gamma_fisher.h"
#include "stats/gamma_quadratic.h"
#include "stats/gamma_sums.h"

#include <string.h>

/* Products of the Hessian with a vector, for one direction. */
enum { MOST_PRODUCTS = 40 };

void gamma_direction_newton(GammaState *s, double accuracy)
{
    const size_t features = s->features;
    memset(s->direction, 0, features * sizeof(double));
    memset(s->change, 0, s->count * sizeof(double));
    for (size_t i = 0; i < features; i++)
        s->residual[i] = -s->gradient[i];
    gamma_fisher_solve(s, s->residual, s->preconditioned);
    memcpy(s->search, s->preconditioned, features * sizeof(double));
    const double begin = gamma_dot(s, s->residual, s->preconditioned);
    double square = begin;
    for (int i = 0; i < MOST_PRODUCTS && square > accuracy * accuracy * begin; i++) {
        gamma_sums_product(s, s->search, s->product);
        gamma_quadratic_add(s, s->search, s->product);
        const double curvature = gamma_dot(s, s->search, s->product);
        if (!(curvature > 0))
            break; /* rounding, or all weights 0 along this line */
        const double a = square / curvature;
        for (size_t j = 0; j < features; j++) {
            s->direction[j] += a * s->search[j];
            s->residual[j] -= a * s->product[j];
        }
        for (size_t row = 0; row < s->count; row++)
            s->change[row] += a * s->part[row];
        gamma_fisher_solve(s, s->residual, s->preconditioned);
        const double next = gamma_dot(s, s->residual, s->preconditioned);
        for (size_t j = 0; j < features; j++)
            s->search[j] = s->preconditioned[j] + next / square * s->search[j];
        square = next;
    }
}

void gamma_direction_fisher(GammaState *s)
{
    gamma_fisher_solve(s, s->gradient, s->direction);
    for (size_t i = 0; i < s->features; i++)
        s->direction[i] = -s->direction[i];
    gamma_rows_apply(s->rows, s->direction, s->change);
}
