/* Linear least squares from sums over observations (least_squares.h).
 *
 * least_squares_solve mixes the sums of `own` and `all`, scales the features to a diagonal of 1,
 * adds the ridge, and solves the normal equations G w = r with Cholesky's factorisation (LAPACK's
 * dpotrf). dpocon estimates the condition; a badly conditioned system gets a larger ridge.
 */
#include "stats/least_squares.h"

#include "base/memory.h"
#include "base/memory_limit.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

/* -- Sums ------------------------------------------------------------------------------------- */

static size_t triangle(int features)
{
    return (size_t)features * ((size_t)features + 1) / 2;
}

size_t normal_sums_size(int features, int targets)
{
    return triangle(features) + (size_t)targets * ((size_t)features + 1) + 1;
}

NormalSums normal_sums_at(double *block, int features, int targets)
{
    double *moments = block + triangle(features);
    double *squares = moments + (size_t)targets * (size_t)features;
    return (NormalSums){.features = features,
                        .targets = targets,
                        .products = block,
                        .moments = moments,
                        .squares = squares,
                        .count = squares + targets};
}

void normal_sums_add(const NormalSums *to, const NormalSums *from)
{
    const size_t size = normal_sums_size(to->features, to->targets);
    for (size_t i = 0; i < size; i++)
        to->products[i] += from->products[i];
}

/* (w' G w - 2 w' r + sum y^2) / count, where G = products (its lower triangle) and r = moments. */
double normal_sums_loss(const NormalSums *sums, int target, const double *w)
{
    const size_t features = (size_t)sums->features;
    const double *row = sums->products, *moments = sums->moments + (size_t)target * features;
    double sum = sums->squares[target];
    for (size_t i = 0; i < features; row += ++i) {
        double below = 0;
        for (size_t j = 0; j < i; j++)
            below += row[j] * w[j];
        sum += w[i] * (2 * below + row[i] * w[i] - 2 * moments[i]);
    }
    return *sums->count > 0 ? sum / *sums->count : NAN;
}

/* -- Solving ---------------------------------------------------------------------------------- */

/* A linear system and the memory that it is solved in. The features are scaled so that the diagonal
 * is 1, and a ridge means the same for all of them. */
typedef struct System {
    lapack_int features, targets;
    /* [F, F] each; only the lower triangles are used. `factor` is computed from `matrix` and a
     * ridge. */
    double *matrix, *factor;
    /* [K, F]: the right sides, then the solutions of the scaled system. */
    double *right;
    /* [F]: w = scale * (the solution of the scaled system). */
    double *scale;
} System;

static bool make_system(System *s, const NormalSums *sums, Error *error)
{
    const size_t features = (size_t)sums->features;
    *s = (System){.features = sums->features, .targets = sums->targets};
    s->scale = memory_small(features, sizeof(double));
    s->right = memory_small(features * (size_t)sums->targets, sizeof(double));
    s->matrix = memory_large(features * features, sizeof(double), "a linear system", error);
    s->factor = s->matrix
                    ? memory_large(features * features, sizeof(double), "a linear system", error)
                    : NULL;
    return s->factor != NULL;
}

static void free_system(System *s)
{
    memory_free(s->matrix);
    memory_free(s->factor);
    memory_free(s->right);
    memory_free(s->scale);
}

/* Adds weight * sums to the matrix and the right sides. */
static void mix(System *s, const NormalSums *sums, double weight)
{
    const size_t features = (size_t)s->features;
    const double *row = sums->products;
    for (size_t i = 0; i < features; row += ++i)
        for (size_t j = 0; j <= i; j++)
            s->matrix[i * features + j] += weight * row[j];
    for (size_t i = 0; i < features * (size_t)s->targets; i++)
        s->right[i] += weight * sums->moments[i];
}

static bool check_finite(const System *s, Error *error)
{
    const size_t features = (size_t)s->features;
    bool finite = true;
    for (size_t i = 0; i < features; i++)
        for (size_t j = 0; j <= i; j++)
            finite = finite && isfinite(s->matrix[i * features + j]);
    for (size_t i = 0; i < features * (size_t)s->targets; i++)
        finite = finite && isfinite(s->right[i]);
    return finite || error_runtime(error, "the sums of least squares are not finite");
}

/* Scales the diagonal to 1. A feature that is always zero gets the scale 0, and so the weight 0. */
static bool rescale(System *s, Error *error)
{
    const size_t features = (size_t)s->features;
    if (!check_finite(s, error))
        return false;
    for (size_t i = 0; i < features; i++) {
        const double square = s->matrix[i * features + i];
        s->scale[i] = square > 0 ? 1 / sqrt(square) : 0;
    }
    for (size_t i = 0; i < features; i++) {
        for (size_t j = 0; j < i; j++)
            s->matrix[i * features + j] *= s->scale[i] * s->scale[j];
        s->matrix[i * features + i] = 1;
    }
    for (size_t i = 0; i < features * (size_t)s->targets; i++)
        s->right[i] *= s->scale[i % features];
    return true;
}

/* factor := Cholesky's factor of matrix + ridge, without a ridge for the intercept. Returns false
 * if the sum is not positive definite or its condition is bad. LAPACK stores matrices column by
 * column, so our lower triangle by rows is its upper triangle. */
static bool factorise(System *s, double ridge)
{
    /* The least reciprocal of the condition number: w is then accurate to half a double's
     * digits. */
    const double least_condition = 1e-9;
    const lapack_int n = s->features;
    const size_t features = (size_t)n;
    memcpy(s->factor, s->matrix, features * features * sizeof(double));
    for (size_t i = 0; i + 1 < features; i++)
        s->factor[i * features + i] += ridge;
    double norm = LAPACKE_dlansy(LAPACK_COL_MAJOR, '1', 'U', n, s->factor, n), inverse = 0;
    const bool positive = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, s->factor, n) == 0;
    memory_limit_lapack_used();
    return positive &&
           LAPACKE_dpocon(LAPACK_COL_MAJOR, 'U', n, s->factor, n, norm, &inverse) == 0 &&
           inverse > least_condition;
}

/* w [K, F] := the solution. The ridge is raised tenfold until the matrix can be factorised. */
static bool solve(System *s, double ridge, double *w, double *ridge_used, Error *error)
{
    const double least = 1e-12, most = 1;
    const size_t features = (size_t)s->features;
    while (!factorise(s, ridge)) {
        if (ridge > most)
            return error_runtime(error, "least squares: no ridge makes the system solvable");
        ridge = ridge < least ? least : 10 * ridge;
    }
    LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', s->features, s->targets, s->factor, s->features, s->right,
                   s->features);
    for (size_t i = 0; i < features * (size_t)s->targets; i++)
        w[i] = s->scale[i % features] * s->right[i];
    if (ridge_used)
        *ridge_used = ridge;
    return true;
}

bool least_squares_solve(const NormalSums *own, const NormalSums *all, Shrinkage shrinkage,
                         double *w, double *ridge_used, Error *error)
{
    System system;
    const double borrow = *own->count > 0 ? shrinkage.borrow : 1;
    if (*own->count <= 0 && !(all && *all->count > 0))
        return error_runtime(error, "least squares: there are no observations");
    bool ok = make_system(&system, own, error);
    if (ok && borrow < 1)
        mix(&system, own, (1 - borrow) / *own->count);
    if (ok && borrow > 0)
        mix(&system, all, borrow / *all->count);
    ok = ok && rescale(&system, error) && solve(&system, shrinkage.ridge, w, ridge_used, error);
    free_system(&system);
    return ok;
}
