/* The fit: directions by Fisher's matrix or by Newton's system, and a search along each.
 *
 * For each row the fit keeps l and the change of l along the direction. So the search along a
 * direction, and the slopes at its end, read no features. The features are read once for each
 * direction's gradient, and once for each product with the Hessian.
 *
 * Sums over rows are made in strips of chunks, a fixed number of them, and then from strip to
 * strip, so that they do not depend on threads.
 */
#include "stats/gamma_regression.h"

#include "base/memory.h"
#include "base/memory_limit.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

enum {
    STRIPS = 16,
    MATRIX_CHUNK = 256, /* rows of a matrix */
    MOST_STEPS = 100,
    MOST_FISHER = 12,   /* steps */
    MOST_PRODUCTS = 40, /* for one direction */
    MOST_TRIES = 60,    /* along one direction */
};

/* -- Rows of a matrix ------------------------------------------------------------------------- */

static size_t matrix_first(const void *context, int chunk)
{
    const GammaMatrix *m = context;
    const size_t first = (size_t)chunk * MATRIX_CHUNK;
    return first < m->rows ? first : m->rows;
}

static void matrix_apply(const void *context, int chunk, const double *w, double *l)
{
    const GammaMatrix *m = context;
    const size_t features = (size_t)m->features, end = matrix_first(m, chunk + 1);
    for (size_t row = matrix_first(m, chunk); row < end; row++, l++) {
        const double *phi = m->phi + row * features;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < features; j++)
            sum += w[j] * phi[j];
        *l = sum;
    }
}

static void matrix_add(const void *context, int chunk, const double *slope, double *sum)
{
    const GammaMatrix *m = context;
    const size_t features = (size_t)m->features, end = matrix_first(m, chunk + 1);
    for (size_t row = matrix_first(m, chunk); row < end; row++, slope++) {
        const double *phi = m->phi + row * features;
        for (size_t j = 0; j < features; j++)
            sum[j] += *slope * phi[j];
    }
}

GammaRows gamma_matrix_rows(const GammaMatrix *matrix)
{
    return (GammaRows){.context = matrix,
                       .features = matrix->features,
                       .chunks = (int)((matrix->rows + MATRIX_CHUNK - 1) / MATRIX_CHUNK),
                       .first = matrix_first,
                       .apply = matrix_apply,
                       .add = matrix_add};
}

void gamma_matrix_fisher(const GammaMatrix *matrix, double *fisher)
{
    const size_t features = (size_t)matrix->features;
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t i = 0; i < features; i++) {
        double *to = fisher + i * (i + 1) / 2;
        memset(to, 0, (i + 1) * sizeof *to);
        for (size_t row = 0; row < matrix->rows; row++) {
            const double *phi = matrix->phi + row * features;
            for (size_t j = 0; j <= i; j++)
                to[j] += phi[i] * phi[j];
        }
        for (size_t j = 0; j <= i; j++)
            to[j] /= (double)matrix->rows;
    }
}

/* -- The state -------------------------------------------------------------------------------- */

typedef struct State {
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
    /* [STRIPS, P], [STRIPS, chunk] */
    double *strips, *slopes;
    /* [P] */
    double *w, *gradient, *direction;
    /* [P]: conjugate gradients. */
    double *residual, *preconditioned, *search, *product;
    int products;
} State;

static double *reals(size_t count, Error *error)
{
    return memory_large(count, sizeof(double), "a regression", error);
}

static void free_state(State *s)
{
    double *const arrays[] = {
        s->l,        s->change,    s->part,     s->weight,         s->factor, s->strips, s->slopes,
        s->gradient, s->direction, s->residual, s->preconditioned, s->search, s->product};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
}

static size_t largest_chunk(const GammaRows *rows)
{
    size_t most = 0;
    for (int c = 0; c < rows->chunks; c++) {
        const size_t count = rows->first(rows->context, c + 1) - rows->first(rows->context, c);
        most = count > most ? count : most;
    }
    return most;
}

static bool make_state(State *s, const GammaProblem *problem, double *w, Error *error)
{
    const GammaRows *rows = problem->rows;
    *s = (State){.problem = problem,
                 .rows = rows,
                 .features = (size_t)rows->features,
                 .count = rows->first(rows->context, rows->chunks),
                 .chunk = largest_chunk(rows),
                 .w = w};
    const size_t features = s->features;
    double **const arrays[] = {&s->l,         &s->change,   &s->part,           &s->weight,
                               &s->factor,    &s->strips,   &s->slopes,         &s->gradient,
                               &s->direction, &s->residual, &s->preconditioned, &s->search,
                               &s->product};
    const size_t sizes[] = {
        s->count,          s->count,          s->count, s->count, features * features,
        STRIPS * features, STRIPS * s->chunk, features, features, features,
        features,          features,          features};
    bool done = s->count > 0 || error_runtime(error, "a regression: there are no rows");
    for (size_t i = 0; done && i < sizeof sizes / sizeof sizes[0]; i++)
        done = (*arrays[i] = reals(sizes[i], error)) != NULL;
    return done;
}

/* -- Sums over rows --------------------------------------------------------------------------- */

static int strip_first(const GammaRows *rows, int strip)
{
    return (int)((long long)rows->chunks * strip / STRIPS);
}

static double weight_of(const State *s, size_t row)
{
    return s->problem->weight ? s->problem->weight[row] : 1;
}

/* sum [P] := those of the strips, over the number of rows. */
static void add_strips(const State *s, double *sum)
{
    memset(sum, 0, s->features * sizeof *sum);
    for (int strip = 0; strip < STRIPS; strip++)
        for (size_t j = 0; j < s->features; j++)
            sum[j] += s->strips[(size_t)strip * s->features + j];
    for (size_t j = 0; j < s->features; j++)
        sum[j] /= (double)s->count;
}

/* The weights of the Hessian, r exp(-l) times the row's own; and s->gradient := the mean of the slope times phi. */
static void sum_gradient(State *s)
{
    const GammaRows *rows = s->rows;
    memset(s->strips, 0, STRIPS * s->features * sizeof *s->strips);
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < STRIPS; strip++) {
        double *slope = s->slopes + (size_t)strip * s->chunk;
        for (int c = strip_first(rows, strip); c < strip_first(rows, strip + 1); c++) {
            const size_t first = rows->first(rows->context, c);
            const size_t end = rows->first(rows->context, c + 1);
            for (size_t i = first; i < end; i++) {
                const double of_row = weight_of(s, i);
                s->weight[i] = of_row * s->problem->r[i] * exp(-s->l[i]);
                slope[i - first] = of_row - s->weight[i];
            }
            rows->add(rows->context, c, slope, s->strips + (size_t)strip * s->features);
        }
    }
    add_strips(s, s->gradient);
}

/* s->part := the product of the rows with v [P]; out [P] := the mean of weight phi phi' v. */
static void sum_product(State *s, const double *v, double *out)
{
    const GammaRows *rows = s->rows;
    memset(s->strips, 0, STRIPS * s->features * sizeof *s->strips);
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < STRIPS; strip++) {
        double *slope = s->slopes + (size_t)strip * s->chunk;
        for (int c = strip_first(rows, strip); c < strip_first(rows, strip + 1); c++) {
            const size_t first = rows->first(rows->context, c);
            const size_t end = rows->first(rows->context, c + 1);
            rows->apply(rows->context, c, v, s->part + first);
            for (size_t i = first; i < end; i++)
                slope[i - first] = s->weight[i] * s->part[i];
            rows->add(rows->context, c, slope, s->strips + (size_t)strip * s->features);
        }
    }
    add_strips(s, out);
    s->products++;
}

/* The mean over rows of the loss at l + a change, and its two derivatives by a. */
typedef struct Along {
    double value, slope, curvature;
} Along;

static Along mean_along(const State *s, double a)
{
    const GammaRows *rows = s->rows;
    Along strips[STRIPS], sum = {0};
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < STRIPS; strip++) {
        const size_t first = rows->first(rows->context, strip_first(rows, strip));
        const size_t end = rows->first(rows->context, strip_first(rows, strip + 1));
        double value = 0, slope = 0, curvature = 0;
        for (size_t i = first; i < end; i++) {
            const double l = s->l[i] + a * s->change[i];
            const double of_row = weight_of(s, i);
            const double ratio = of_row * s->problem->r[i] * exp(-l);
            value += of_row * l + ratio;
            slope += (of_row - ratio) * s->change[i];
            curvature += ratio * s->change[i] * s->change[i];
        }
        strips[strip] = (Along){value, slope, curvature};
    }
    for (int strip = 0; strip < STRIPS; strip++) {
        sum.value += strips[strip].value / (double)s->count;
        sum.slope += strips[strip].slope / (double)s->count;
        sum.curvature += strips[strip].curvature / (double)s->count;
    }
    return sum;
}

/* -- The quadratic terms ---------------------------------------------------------------------- */

/* Element (i, j) of Fisher's matrix is at [i (i + 1) / 2 + j] for j <= i. */
static double diagonal(const State *s, size_t i)
{
    return s->problem->fisher[i * (i + 1) / 2 + i];
}

static double ridge_of(const State *s, size_t i)
{
    return i + 1 < s->features ? s->problem->ridge * diagonal(s, i) : 0;
}

/* out [P] += pull matrix v + ridge v */
static void add_quadratic(const State *s, const double *v, double *out)
{
    for (size_t i = 0; i < s->features; i++)
        out[i] += ridge_of(s, i) * v[i];
    const double *row = s->problem->matrix;
    for (size_t i = 0; s->problem->pull > 0 && i < s->features; row += ++i) {
        double below = row[i] * v[i];
        for (size_t j = 0; j < i; j++) {
            below += row[j] * v[j];
            out[j] += s->problem->pull * row[j] * v[i];
        }
        out[i] += s->problem->pull * below;
    }
}

static double dot(const State *s, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < s->features; i++)
        sum += a[i] * b[i];
    return sum;
}

/* slope [P] := the gradient of the quadratic terms at w; returns their value. Uses s->search. */
static double quadratic(State *s, double *slope)
{
    const double *center = s->problem->center;
    double *pulled = s->search, value = 0;
    memset(slope, 0, s->features * sizeof *slope);
    for (size_t i = 0; i < s->features; i++) {
        const double ridge = ridge_of(s, i);
        pulled[i] = s->w[i] - (s->problem->pull > 0 ? center[i] : 0);
        value += ridge * s->w[i] * s->w[i] / 2;
    }
    add_quadratic(s, pulled, slope); /* the ridge draws to the center, which the loop mends */
    for (size_t i = 0; i < s->features; i++) {
        const double ridge = ridge_of(s, i);
        slope[i] -= ridge * pulled[i];
        value += slope[i] * pulled[i] / 2;
    }
    for (size_t i = 0; i < s->features; i++)
        slope[i] += ridge_of(s, i) * s->w[i];
    return value;
}

/* -- Fisher's matrix -------------------------------------------------------------------------- */

/* factor := that of fisher + pull matrix + ridge + `more` times the diagonal. LAPACK stores matrices
 * column by column, so our lower triangle by rows is its upper triangle. */
static bool factorise(const State *s, double more)
{
    const lapack_int n = (lapack_int)s->features;
    const double *fisher = s->problem->fisher, *matrix = s->problem->matrix;
    const double pull = s->problem->pull;
    for (size_t i = 0, at = 0; i < s->features; i++) {
        double *row = s->factor + i * s->features;
        for (size_t j = 0; j <= i; j++, at++)
            row[j] = fisher[at] + (pull > 0 ? pull * matrix[at] : 0);
        /* A feature that is always 0 gets the weight 0. */
        row[i] += row[i] > 0 ? ridge_of(s, i) + more * row[i] : 1;
    }
    const bool positive = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, s->factor, n) == 0;
    memory_limit_lapack_used();
    return positive;
}

/* The factor only guides the steps, so a singular matrix is mended by a little more diagonal. */
static bool make_factor(const State *s, Error *error)
{
    static const double more[] = {1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (factorise(s, more[i]))
            return true;
    return error_runtime(error, "a regression: its features are not finite");
}

/* out [P] := the solution of Fisher's system for the right side v. */
static void precondition(const State *s, const double *v, double *out)
{
    const lapack_int n = (lapack_int)s->features;
    memmove(out, v, s->features * sizeof *out);
    LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', n, 1, s->factor, n, out, n);
}

/* -- Directions ------------------------------------------------------------------------------- */

/* direction := the solution of Newton's system by conjugate gradients, as far as `accuracy`, a part
 * of the gradient; s->change := the change of l along it. */
static void newton_direction(State *s, double accuracy)
{
    const size_t features = s->features;
    memset(s->direction, 0, features * sizeof(double));
    memset(s->change, 0, s->count * sizeof(double));
    for (size_t i = 0; i < features; i++)
        s->residual[i] = -s->gradient[i];
    precondition(s, s->residual, s->preconditioned);
    memcpy(s->search, s->preconditioned, features * sizeof(double));
    const double begin = dot(s, s->residual, s->preconditioned);
    double square = begin;
    for (int i = 0; i < MOST_PRODUCTS && square > accuracy * accuracy * begin; i++) {
        sum_product(s, s->search, s->product);
        add_quadratic(s, s->search, s->product);
        const double curvature = dot(s, s->search, s->product);
        if (!(curvature > 0))
            break; /* rounding, or all weights 0 along this line */
        const double a = square / curvature;
        for (size_t j = 0; j < features; j++) {
            s->direction[j] += a * s->search[j];
            s->residual[j] -= a * s->product[j];
        }
        for (size_t row = 0; row < s->count; row++)
            s->change[row] += a * s->part[row];
        precondition(s, s->residual, s->preconditioned);
        const double next = dot(s, s->residual, s->preconditioned);
        for (size_t j = 0; j < features; j++)
            s->search[j] = s->preconditioned[j] + next / square * s->search[j];
        square = next;
    }
}

static void fisher_direction(State *s)
{
    precondition(s, s->gradient, s->direction);
    for (size_t i = 0; i < s->features; i++)
        s->direction[i] = -s->direction[i];
    gamma_regression_apply(s->rows, s->direction, s->change);
}

/* -- The search along a direction ------------------------------------------------------------- */

/* The objective along the direction, up to a constant. `slope` and `curvature` are those of the
 * quadratic terms. */
static Along objective_along(const State *s, double a, double slope, double curvature)
{
    Along along = mean_along(s, a);
    along.value += slope * a + curvature * a * a / 2;
    along.slope += slope + curvature * a;
    along.curvature += curvature;
    return along;
}

/* Newton's next step from `a`, between the bounds. Far beyond the minimum the objective grows as an
 * exponential, on which Newton's method creeps: there the step becomes a quarter. */
static double next_try(Along here, double a, double low, double high, bool lower)
{
    const double newton = a - here.slope / here.curvature, quarter = low + (a - low) / 4;
    if (high == INFINITY)
        return newton > a && newton < 4 * a ? newton : 4 * a;
    if (!lower && here.slope > 0)
        return newton > low && newton < quarter ? newton : quarter;
    return newton > low && newton < high ? newton : (low + high) / 2;
}

/* The step to the minimum along the direction, nearly: Newton's method between bounds, since the
 * objective is convex. 0 if no step lowers it. */
static double search_along(State *s, const double *quadratic_slope, Along *at)
{
    const double enough = 0.05; /* of the slope at 0 */
    memset(s->product, 0, s->features * sizeof(double));
    add_quadratic(s, s->direction, s->product);
    const double slope = dot(s, quadratic_slope, s->direction);
    const double curvature = dot(s, s->product, s->direction);
    const Along start = objective_along(s, 0, slope, curvature);
    double low = 0, high = INFINITY, a = 1;
    *at = start;
    for (int i = 0; i < MOST_TRIES; i++) {
        const Along here = objective_along(s, a, slope, curvature);
        const bool lower = here.value < start.value;
        if (lower && here.value <= at->value)
            *at = here;
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
    *at = objective_along(s, low, slope, curvature);
    return at->value < start.value ? low : 0;
}

/* -- The fit ---------------------------------------------------------------------------------- */

static double mean_loss(const State *s)
{
    return mean_along(s, 0).value;
}

static bool is_finite(const State *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->features; i++)
        sum += 0 * s->gradient[i];
    return sum == 0;
}

/* Takes steps until the objective is near its minimum. */
static bool descend(State *s, GammaFit *fit, Error *error)
{
    const double enough_for_newton = 0.02; /* of the decrement */
    double *slope = memory_small(s->features, sizeof *slope);
    bool ok = true;
    for (; ok && fit->steps < MOST_STEPS && !fit->converged; fit->steps++) {
        Along at;
        sum_gradient(s);
        quadratic(s, slope);
        for (size_t i = 0; i < s->features; i++)
            s->gradient[i] += slope[i];
        if (!is_finite(s)) {
            ok = error_runtime(error, "a regression: its numbers are not finite");
            break;
        }
        precondition(s, s->gradient, s->preconditioned);
        const double decrement = dot(s, s->gradient, s->preconditioned) / 2;
        if (decrement > enough_for_newton && fit->steps < MOST_FISHER)
            fisher_direction(s);
        else
            newton_direction(s, fmax(fmin(0.3, sqrt(decrement)), 1e-3));
        const double gain = -dot(s, s->gradient, s->direction) / 2;
        fit->converged = gain < s->problem->tolerance && decrement < s->problem->tolerance;
        const double a = search_along(s, slope, &at);
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
    fit->objective = fit->loss + quadratic(s, slope);
    fit->products = s->products;
    memory_free(slope);
    return ok;
}

bool gamma_regression_fit(const GammaProblem *problem, double *w, GammaFit *fit, Error *error)
{
    State s;
    *fit = (GammaFit){0};
    bool ok = make_state(&s, problem, w, error) && make_factor(&s, error);
    if (ok) {
        gamma_regression_apply(s.rows, w, s.l);
        ok = descend(&s, fit, error);
    }
    free_state(&s);
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

void gamma_regression_apply(const GammaRows *rows, const double *w, double *l)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < rows->chunks; c++)
        rows->apply(rows->context, c, w, l + rows->first(rows->context, c));
}

bool gamma_regression_loss(const GammaRows *rows, const double *r, const double *weight,
                           const double *w, double *loss, Error *error)
{
    const size_t count = rows->first(rows->context, rows->chunks);
    double *l = reals(count, error), sum = 0;
    if (!l)
        return false;
    gamma_regression_apply(rows, w, l);
    for (size_t i = 0; i < count; i++)
        sum += (weight ? weight[i] : 1) * (l[i] + r[i] * exp(-l[i]));
    *loss = count > 0 ? sum / (double)count : NAN;
    memory_free(l);
    return true;
}
