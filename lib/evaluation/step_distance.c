/* The KL of two steps (step_distance.h).
 *
 * The determinant of T follows from that of a small matrix (the matrix determinant lemma):
 *
 *     det T = prod (1 + kappa within) * det(I + kappa F' diag(1 + kappa within)^-1 F)
 *
 * Everything else is a sum of quadratic forms x' M^-1 x. The trace of M^-1 T is one form for each
 * factor, and the trace of M^-1 diag(w), w = 1 + kappa within. If M has correlations, its inverse
 * couples the elements of a block. The vectors x_j that have sqrt(w) at element j of every block,
 * and 0 elsewhere, then have forms that add up to this trace.
 */
#include "evaluation/step_distance.h"

#include "base/memory.h"
#include "diffusion/mixture.h"

#include <assert.h>
#include <math.h>

/* -- The truth -------------------------------------------------------------------------------- */

/* The log-determinant of a [n, n], by Cholesky's factorisation in place. */
static double log_det_of(double *a, int n)
{
    double log_det = 0;
    for (int j = 0; j < n; j++)
        for (int i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
            log_det += i == j ? log(sum) : 0;
        }
    return log_det;
}

/* log det T */
static double log_det_of_truth(const StepTruth *truth, double kappa)
{
    const int n = truth->factors;
    double small[MIXTURE_MAX_COMPONENTS * MIXTURE_MAX_COMPONENTS], sum = 0;
    assert(n <= MIXTURE_MAX_COMPONENTS);
    for (size_t i = 0; i < truth->dims; i++)
        sum += log1p(kappa * truth->within[i]);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            const double *f = truth->factor + (size_t)a * truth->dims;
            const double *g = truth->factor + (size_t)b * truth->dims;
            double product = 0;
            for (size_t i = 0; i < truth->dims; i++)
                product += f[i] * g[i] / (1 + kappa * truth->within[i]);
            small[a * n + b] = (a == b) + kappa * product;
        }
    return sum + log_det_of(small, n);
}

/* -- Diagonal models -------------------------------------------------------------------------- */

/* The sum of what element i adds to the trace and to the form of d. */
static double forms_of_element(const StepTruth *truth, double kappa, size_t i)
{
    double squares = truth->mean_off[i] * truth->mean_off[i];
    for (int k = 0; k < truth->factors; k++) {
        const double f = truth->factor[(size_t)k * truth->dims + i];
        squares += f * f;
    }
    return 1 + kappa * truth->within[i] + kappa * squares;
}

double step_distance(const StepTruth *truth, double kappa, const float *cov)
{
    double sum = -log_det_of_truth(truth, kappa) - (double)truth->dims;
    for (size_t i = 0; i < truth->dims; i++) {
        const double model = 1 + kappa * (double)cov[i];
        if (!(model > 0))
            return NAN;
        sum += log(model) + forms_of_element(truth, kappa, i) / model;
    }
    return sum / 2;
}

/* -- Models with correlations ----------------------------------------------------------------- */

typedef struct Model {
    double kappa;
    const BlockShape *shape;
    const float *correlation, *cov;
    size_t dims;
    /* [dims] each */
    float *value;
    double *square, *x;
} Model;

/* x' M^-1 x for m->x, and log det M. */
static double form(const Model *m, double *log_det)
{
    double sum = 0;
    *log_det = 0;
    block_covariance_rotate(m->shape, m->correlation, m->cov, m->x, m->value, m->square);
    for (size_t i = 0; i < m->dims; i++) {
        const double y = m->kappa * (double)m->value[i];
        *log_det += log1p(y);
        sum += m->square[i] / (1 + y);
    }
    return sum;
}

/* x := sqrt(1 + kappa within) at element `place` of every block, 0 elsewhere. */
static void mask(const Model *m, const StepTruth *truth, int place)
{
    const BlockShape *s = m->shape;
    for (size_t i = 0; i < m->dims; i++) {
        const int pixel = (int)i / s->channels, y = pixel / s->side, x = pixel % s->side;
        const int own = (y % s->size * s->size + x % s->size) * s->channels + (int)i % s->channels;
        m->x[i] = own == place ? sqrt(1 + m->kappa * truth->within[i]) : 0;
    }
}

/* x := sqrt(kappa) from */
static void scale(const Model *m, const double *from)
{
    for (size_t i = 0; i < m->dims; i++)
        m->x[i] = sqrt(m->kappa) * from[i];
}

double step_distance_correlated(const StepTruth *truth, double kappa, const BlockShape *shape,
                                const float *correlation, const float *cov)
{
    const size_t dims = truth->dims;
    double *arrays = memory_small(2 * dims, sizeof *arrays), log_det;
    const Model m = {.kappa = kappa,
                     .shape = shape,
                     .correlation = correlation,
                     .cov = cov,
                     .dims = dims,
                     .value = memory_small(dims, sizeof *m.value),
                     .square = arrays,
                     .x = arrays + dims};
    scale(&m, truth->mean_off);
    double sum = form(&m, &log_det);
    sum += log_det - log_det_of_truth(truth, kappa) - (double)dims;
    for (int k = 0; k < truth->factors; k++) {
        scale(&m, truth->factor + (size_t)k * dims);
        sum += form(&m, &log_det);
    }
    for (int place = 0; place < block_rows(shape); place++) {
        mask(&m, truth, place);
        sum += form(&m, &log_det);
    }
    memory_free(m.value);
    memory_free(arrays);
    return sum / 2;
}
