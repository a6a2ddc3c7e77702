/* Tests of covariances with correlations within blocks of pixels: eigenvalues and rotated residuals,
 * draws, and the fit of correlations. They are compared with dense matrices of a whole image, made
 * element by element from the definition, and with golden values of fixed bases.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/likelihood.h"
#include "stats/correlation.h"
#include "stats/symmetric.h"
#include "tests/golden.h"
#include "variance/block_covariance.h"
#include "variance/correlation_fit.h"

#include <math.h>
#include <omp.h>

static const double kappas[] = {0.01, 0.7, 40, 9000};
enum { KAPPAS = sizeof kappas / sizeof kappas[0], LANES = SYMMETRIC_LANES };

static double uniform(uint32_t sample, uint32_t index)
{
    return random_uniform((RandomKey){.seed = 77, .sample = sample}, index);
}

/* -- Dense references ------------------------------------------------------------------------- */

/* The log-determinant of I + kappa A, and r' (I + kappa A)^-1 r and the trace of the inverse, by
 * elimination with all right sides. */
typedef struct Solved {
    double log_det, quadratic, trace;
} Solved;

static Solved solve(const double *a, const double *r, size_t n, double kappa)
{
    const size_t columns = 2 * n + 1;
    double *m = memory_small(n * columns, sizeof *m);
    Solved s = {0};
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            m[i * columns + j] = (i == j) + kappa * a[i * n + j];
        m[i * columns + n + i] = 1;
        m[i * columns + 2 * n] = r[i];
    }
    for (size_t k = 0; k < n; k++) {
        s.log_det += log(m[k * columns + k]);
        for (size_t i = 0; i < n; i++) {
            const double factor = m[i * columns + k] / m[k * columns + k];
            for (size_t j = k; i != k && j < columns; j++)
                m[i * columns + j] -= factor * m[k * columns + j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        s.trace += m[i * columns + n + i] / m[i * columns + i];
        s.quadratic += r[i] * m[i * columns + 2 * n] / m[i * columns + i];
    }
    memory_free(m);
    return s;
}

/* The KL of the step with this kappa, from the definition: Gaussians with covariances lambda^2 I and
 * lambda^2 (I + kappa A), and means sqrt(gain) r apart. */
static double dense_kl(const double *a, const double *r, size_t n, double kappa)
{
    const Solved s = solve(a, r, n, kappa);
    return 0.5 * (s.log_det + s.trace - (double)n + kappa * s.quadratic);
}

/* An image's estimates, residuals and correlations. */
typedef struct Case {
    BlockShape shape;
    size_t dims;
    int n;
    float *correlation, *cov;
    double *off;
    /* [dims, dims] */
    double *dense;
} Case;

/* Where an element lies in its block, and the number of its block. */
static int place_in_block(const BlockShape *s, size_t element, int *block)
{
    const int c = (int)element % s->channels, pixel = (int)element / s->channels;
    const int y = pixel / s->side, x = pixel % s->side;
    *block = y / s->size * 1000 + x / s->size;
    return (y % s->size * s->size + x % s->size) * s->channels + c;
}

static void fill_dense(Case *c)
{
    for (size_t i = 0; i < c->dims; i++)
        for (size_t j = 0; j < c->dims; j++) {
            int block_i, block_j;
            const int at_i = place_in_block(&c->shape, i, &block_i);
            const int at_j = place_in_block(&c->shape, j, &block_j);
            c->dense[i * c->dims + j] =
                block_i != block_j
                    ? 0
                    : c->correlation[at_i * c->n + at_j] * sqrt((double)c->cov[i] * c->cov[j]);
        }
}

/* Correlations that fall off with the distance of the numbers of elements, of either sign. */
static Case case_make(int side, int channels, int size, uint32_t seed)
{
    Case c = {.shape = {.side = side, .channels = channels, .size = size},
              .dims = (size_t)(side * side * channels)};
    c.n = block_rows(&c.shape);
    c.correlation = memory_small((size_t)(c.n * c.n), sizeof *c.correlation);
    c.cov = memory_small(c.dims, sizeof *c.cov);
    c.off = memory_small(c.dims, sizeof *c.off);
    c.dense = memory_small(c.dims * c.dims, sizeof *c.dense);
    for (int i = 0; i < c.n; i++)
        for (int j = 0; j < c.n; j++)
            c.correlation[i * c.n + j] = (float)(pow(0.6, abs(i - j)) * cos(0.3 * (i - j)));
    for (size_t i = 0; i < c.dims; i++) {
        c.cov[i] = (float)pow(10, -4 * uniform(seed, (uint32_t)i));
        c.off[i] = 0.3 * (uniform(seed + 1, (uint32_t)i) - 0.5);
    }
    fill_dense(&c);
    return c;
}

static void case_free(Case *c)
{
    memory_free(c->correlation), memory_free(c->cov), memory_free(c->off), memory_free(c->dense);
}

/* -- Small symmetric matrices ----------------------------------------------------------------- */

/* sum f(e) and sum d^2 f(e) for all the functions f that a bound needs pin both the eigenvalues and
 * the coefficients. */
static void check_rotation(int n, uint32_t seed)
{
    double *a = memory_small(LANES * (size_t)(n * n), sizeof *a);
    double *lanes = memory_small(symmetric_elements((size_t)n) * LANES, sizeof *lanes);
    double *x = memory_small((size_t)n * LANES, sizeof *x);
    double *r = memory_small((size_t)n * LANES, sizeof *r);
    double *value = memory_small((size_t)n * LANES, sizeof *value);
    double *scratch = memory_small((size_t)n * LANES, sizeof *scratch);
    for (int l = 0; l < LANES; l++)
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                double sum = 0; /* of rank l + 1, so the first lanes are singular */
                for (int k = 0; k <= l; k++)
                    sum += (uniform(seed + 9, (uint32_t)((i * 8 + k) * 8 + l)) - 0.5) *
                           (uniform(seed + 9, (uint32_t)((j * 8 + k) * 8 + l)) - 0.5);
                a[(l * n + i) * n + j] = a[(l * n + j) * n + i] = sum;
                lanes[symmetric_at((size_t)i, (size_t)j) * LANES + (size_t)l] = sum;
            }
            r[l * n + i] = x[i * LANES + l] = uniform(seed, (uint32_t)(i * 8 + l)) - 0.5;
        }
    symmetric_rotate(lanes, x, n, value, scratch);
    for (int l = 0; l < LANES; l++)
        for (int k = 0; k < KAPPAS; k++) {
            const Solved want = solve(a + l * n * n, r + l * n, (size_t)n, kappas[k]);
            double log_det = 0, quadratic = 0;
            for (int i = 0; i < n; i++) {
                const double factor = 1 + kappas[k] * value[i * LANES + l];
                log_det += log(factor);
                quadratic += x[i * LANES + l] * x[i * LANES + l] / factor;
            }
            ck_assert_double_eq_tol(log_det, want.log_det, 1e-9);
            ck_assert_double_eq_tol(quadratic, want.quadratic, 1e-9);
        }
    memory_free(a), memory_free(lanes), memory_free(x), memory_free(r), memory_free(value);
    memory_free(scratch);
}

START_TEST(rotations_give_eigenvalues_and_coefficients)
{
    for (int n = 1; n <= 20; n++)
        check_rotation(n, (uint32_t)(100 * n));
    check_rotation(48, 1);
}
END_TEST

/* A lane's result must not depend on its neighbours: equal matrices in all lanes but one. */
START_TEST(lanes_do_not_mix)
{
    enum { SIZE = 7, ELEMENTS = SIZE * (SIZE + 1) / 2 };
    double all[ELEMENTS * LANES], some[ELEMENTS * LANES];
    double x[SIZE * LANES], y[SIZE * LANES], value[2][SIZE * LANES], scratch[SIZE * LANES];
    for (int k = 0; k < ELEMENTS; k++)
        for (int l = 0; l < LANES; l++) {
            all[k * LANES + l] = uniform(5, (uint32_t)k);
            some[k * LANES + l] = l == 3 ? all[k * LANES + l] : l == 4 ? NAN : l * (k + 1.0);
        }
    for (int k = 0; k < SIZE * LANES; k++)
        x[k] = y[k] = uniform(6, (uint32_t)(k / LANES));
    symmetric_rotate(all, x, SIZE, value[0], scratch);
    symmetric_rotate(some, y, SIZE, value[1], scratch);
    double sum = 0;
    for (int i = 0; i < SIZE; i++) {
        ck_assert(value[0][i * LANES] == value[1][i * LANES + 3]);
        ck_assert(x[i * LANES + 7] == y[i * LANES + 3]);
        sum += value[1][i * LANES + 4];
    }
    ck_assert(isnan(sum));
}
END_TEST

/* -- Covariances of images -------------------------------------------------------------------- */

static double kl_of(const Case *c, double kappa)
{
    float *value = memory_small(c->dims, sizeof *value);
    double *square = memory_small(c->dims, sizeof *square);
    block_covariance_rotate(&c->shape, c->correlation, c->cov, c->off, value, square);
    const double kl = likelihood_step(kappa, square, value, INFINITY, c->dims);
    memory_free(value), memory_free(square);
    return kl;
}

/* Sides that are multiples of the block's, sides that are not, and one smaller than a block. */
START_TEST(rotated_terms_are_the_dense_ones)
{
    static const int shapes[][3] = {{8, 1, 4},  {8, 3, 2}, {7, 1, 2}, {7, 3, 4},
                                    {10, 1, 4}, {3, 2, 4}, {4, 3, 4}, {5, 1, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        Case c = case_make(shapes[i][0], shapes[i][1], shapes[i][2], (uint32_t)i);
        for (int k = 0; k < KAPPAS; k++) {
            const double want = dense_kl(c.dense, c.off, c.dims, kappas[k]);
            ck_assert_double_eq_tol(kl_of(&c, kappas[k]), want, 2e-6 * want);
        }
        case_free(&c);
    }
}
END_TEST

START_TEST(without_correlations_the_terms_are_diagonal)
{
    Case c = case_make(7, 3, 2, 3);
    double *off2 = memory_small(c.dims, sizeof *off2);
    for (int i = 0; i < c.n * c.n; i++)
        c.correlation[i] = i % (c.n + 1) == 0;
    for (size_t i = 0; i < c.dims; i++)
        off2[i] = c.off[i] * c.off[i];
    for (int k = 0; k < KAPPAS; k++) {
        const double want = likelihood_step(kappas[k], off2, c.cov, INFINITY, c.dims);
        ck_assert_double_eq_tol(kl_of(&c, kappas[k]), want, 1e-6 * want);
    }
    memory_free(off2);
    case_free(&c);
}
END_TEST

/* The smallest eigenvalues may be negative by rounding, and a negative estimate counts as 0. */
START_TEST(eigenvalues_are_never_negative_and_nans_stay)
{
    Case c = case_make(8, 1, 4, 11);
    float value[64];
    double square[64];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            c.correlation[i * 16 + j] = i == j ? 1 : 0.999999f;
    c.cov[3] = -0.2f;
    block_covariance_rotate(&c.shape, c.correlation, c.cov, c.off, value, square);
    double sum = 0, total = 0.2, squares = 0, all = 0;
    for (int i = 0; i < 64; i++) {
        ck_assert(value[i] >= 0);
        sum += value[i], total += c.cov[i];
        squares += square[i], all += c.off[i] * c.off[i];
    }
    ck_assert_double_eq_tol(sum, total, 1e-6 * total);
    ck_assert_double_eq_tol(squares, all, 1e-12);
    c.cov[3] = NAN;
    block_covariance_rotate(&c.shape, c.correlation, c.cov, c.off, value, square);
    ck_assert(isnan(likelihood_step(1, square, value, INFINITY, 64)));
    case_free(&c);
}
END_TEST

/* -- Draws ------------------------------------------------------------------------------------ */

/* The covariance of the draws is L L', and the draws from unit vectors are the columns of L. */
static void check_draws(const Case *c, const ReverseStep *step, double fixed, double gain)
{
    const size_t d = c->dims;
    float *z = memory_small(d, sizeof *z), *column = memory_small(d * d, sizeof *column);
    for (size_t k = 0; k < d; k++) {
        z[k] = 1;
        block_covariance_draw(&c->shape, c->correlation, step, c->cov, z, column + k * d);
        z[k] = 0;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
            double got = 0;
            for (size_t k = 0; k < d; k++)
                got += (double)column[k * d + i] * column[k * d + j];
            const double want = gain * c->dense[i * d + j] + (i == j ? fixed : 0);
            ck_assert_double_eq_tol(got, want, 1e-6 * (fixed + gain));
        }
    memory_free(z), memory_free(column);
}

START_TEST(draws_have_the_covariance)
{
    Schedule schedule;
    Error error = {0};
    must(schedule_make(&schedule, SCHEDULE_LINEAR, 100, &error), &error);
    Case c = case_make(7, 2, 4, 21);
    const double etas[] = {0, 0.5};
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = (ReverseVariance){0};
    ReverseStep step = reverse_step(&schedule, &options, 20, 60);
    check_draws(&c, &step, step.lambda2, step.gain);
    options.sampler = SAMPLER_DDIM;
    for (int i = 0; i < 2; i++) { /* with eta 0 lambda^2 is 0 */
        options.eta = etas[i];
        step = reverse_step(&schedule, &options, 20, 60);
        check_draws(&c, &step, step.lambda2, step.gain);
    }
    case_free(&c);
    schedule_free(&schedule);
}
END_TEST

/* As for diagonal covariances, no element's variance is above the bound; the correlations stay. */
START_TEST(bounded_draws_lower_the_diagonal)
{
    Schedule schedule;
    Error error = {0};
    must(schedule_make(&schedule, SCHEDULE_LINEAR, 100, &error), &error);
    Case c = case_make(6, 1, 4, 31);
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = (ReverseVariance){0};
    options.clip_sigma_to = 20;
    ReverseStep step = reverse_step(&schedule, &options, 20, 60);
    step.max_variance = step.lambda2 + step.gain * 0.01;
    float *own = memory_small(c.dims, sizeof *own);
    for (size_t i = 0; i < c.dims; i++) {
        own[i] = c.cov[i];
        c.cov[i] = own[i] > 0.01f ? 0.01f : own[i];
    }
    fill_dense(&c);
    memcpy(c.cov, own, c.dims * sizeof *own);
    check_draws(&c, &step, step.lambda2, step.gain);
    step.max_variance = step.lambda2 / 3; /* even lambda^2 is too much */
    check_draws(&c, &step, step.max_variance, 0);
    memory_free(own);
    case_free(&c);
    schedule_free(&schedule);
}
END_TEST

/* -- Golden values ---------------------------------------------------------------------------- */

/* A fixed basis W of blocks (tests/golden/README.md): Cov = W' diag(v) W in each block. */
typedef struct Basis {
    const char *name;
    int size;
    bool colour;
} Basis;

/* Element (coefficient k, element j) of W within a block; both are numbered as in BlockShape. */
static double basis_at(const Basis *b, int channels, int k, int j)
{
    static const double colours[3][3] = {{1, 1, 1}, {1, -1, 0}, {1, 1, -2}};
    static const double norms[3] = {3, 2, 6};
    const int size = b->size;
    const int kc = k % channels, kp = k / channels, jc = j % channels, jp = j / channels;
    double value = b->colour ? colours[kc][jc] / sqrt(norms[kc]) : kc == jc;
    const int frequency[2] = {kp / size, kp % size}, place[2] = {jp / size, jp % size};
    for (int axis = 0; axis < 2; axis++)
        value *= sqrt((frequency[axis] ? 2.0 : 1.0) / size) *
                 cos(M_PI * (2 * place[axis] + 1) * frequency[axis] / (2 * size));
    return value;
}

/* D and R of the covariance W' diag(v) W of one block; v [n]. */
static void covariance_of_basis(const Basis *b, int channels, const double *v, float *diagonal,
                                float *correlation)
{
    const int n = b->size * b->size * channels;
    double cov[48 * 48];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            cov[i * n + j] = 0;
            for (int k = 0; k < n; k++)
                cov[i * n + j] += v[k] * basis_at(b, channels, k, i) * basis_at(b, channels, k, j);
        }
    for (int i = 0; i < n; i++) {
        diagonal[i] = (float)cov[i * n + i];
        for (int j = 0; j < n; j++)
            correlation[i * n + j] =
                (float)(cov[i * n + j] / sqrt(cov[i * n + i] * cov[j * n + j]));
    }
}

/* The KL of one image, block by block: every block has a covariance of its own. v, x_0 and x0_hat
 * are [C, H, W]. */
static double golden_kl(const Basis *b, int channels, int side, double kappa, const double *v,
                        const double *x_0, const double *x0_hat)
{
    const BlockShape shape = {.side = b->size, .channels = channels, .size = b->size};
    const int n = block_rows(&shape);
    double kl = 0;
    for (int top = 0; top < side; top += b->size)
        for (int left = 0; left < side; left += b->size) {
            double own[48], off[48], square[48];
            float diagonal[48], correlation[48 * 48], value[48];
            for (int i = 0; i < n; i++) {
                const int pixel = i / channels, c = i % channels;
                const int at = (c * side + top + pixel / b->size) * side + left + pixel % b->size;
                own[i] = v[at];
                off[i] = x_0[at] - x0_hat[at];
            }
            covariance_of_basis(b, channels, own, diagonal, correlation);
            block_covariance_rotate(&shape, correlation, diagonal, off, value, square);
            kl += likelihood_step(kappa, square, value, INFINITY, (size_t)n);
        }
    return kl;
}

static void check_basis(const char *file, const char *checkpoint, const Basis *b)
{
    int64_t shape[GOLDEN_MAX_RANK];
    int rank;
    char path[96];
    Schedule schedule;
    Error error = {0};
    snprintf(path, sizeof path, "bound_block/given/%s/v", b->name);
    double *v = golden_doubles(file, path, &rank, shape);
    const int steps = (int)shape[0], channels = (int)shape[2], side = (int)shape[3];
    const size_t dims = (size_t)(channels * side * side);
    snprintf(path, sizeof path, "bound_block/given/%s/kl_bits_per_dim", b->name);
    double *want = golden_doubles(file, path, NULL, NULL);
    double *pixels = golden_doubles(file, "bound_block/x0", NULL, NULL);
    double *x0_hat = golden_doubles(file, "bound_block/x0_hat", NULL, NULL);
    int64_t *t = golden_ints(file, "bound_block/eps_t", NULL, NULL);
    int64_t *s = golden_ints(file, "bound_block/eps_s", NULL, NULL);
    const bool linear = strstr(checkpoint, "golden_a") != NULL;
    must(schedule_make(&schedule, linear ? SCHEDULE_LINEAR : SCHEDULE_COSINE, linear ? 1000 : 200,
                       &error),
         &error);
    double *x_0 = memory_small(dims, sizeof *x_0);
    for (int k = 0; k < steps; k++)
        for (int image = 0; image < 2; image++) {
            const size_t at = (size_t)(2 * k + image) * dims;
            for (size_t i = 0; i < dims; i++) /* pictures are [H, W, C] */
                x_0[i % (size_t)channels * (dims / (size_t)channels) + i / (size_t)channels] =
                    2 * pixels[(size_t)image * dims + i] / 255 - 1;
            const double got =
                golden_kl(b, channels, side, likelihood_kappa(&schedule, (int)s[k], (int)t[k]),
                          v + at, x_0, x0_hat + at) /
                ((double)dims * log(2));
            ck_assert_msg(fabs(got - want[2 * k + image]) <= 1e-4 * fabs(want[2 * k + image]),
                          "%s %s %lld -> %lld: %.9g, expected %.9g", file, b->name, (long long)t[k],
                          (long long)s[k], got, want[2 * k + image]);
        }
    free(v), free(want), free(pixels), free(x0_hat), free(t), free(s);
    memory_free(x_0);
    schedule_free(&schedule);
}

START_TEST(terms_of_fixed_bases_are_golden)
{
    static const char file_a[] = "tests/golden/golden_a_variances.h5";
    static const char file_b[] = "tests/golden/golden_b_variances.h5";
    static const Basis dct2 = {"dct2", 2, false}, dct4 = {"dct4", 4, false};
    static const Basis dct4_colour = {"dct4_colour", 4, true};
    check_basis(file_a, "golden_a", &dct2);
    check_basis(file_a, "golden_a", &dct4_colour);
    check_basis(file_b, "golden_b", &dct2);
    check_basis(file_b, "golden_b", &dct4);
}
END_TEST

/* -- Fitting ---------------------------------------------------------------------------------- */

/* Images whose residuals are drawn from D^(1/2) R D^(1/2) with the R of a case, or from D. */
typedef struct Drawn {
    Schedule schedule;
    TimeBins bins;
    Residuals residuals;
    int *t;
    float *cov, *off;
} Drawn;

static Drawn draw_residuals(const Case *c, int images, bool correlated)
{
    enum { TIMESTEPS = 100, BINS = 2 };
    Drawn d = {.bins = time_bins_even(BINS, TIMESTEPS)};
    Error error = {0};
    must(schedule_make(&d.schedule, SCHEDULE_LINEAR, TIMESTEPS, &error), &error);
    const size_t count = (size_t)images * c->dims;
    d.t = memory_small((size_t)images, sizeof *d.t);
    d.cov = memory_small(count, sizeof *d.cov);
    d.off = memory_small(count, sizeof *d.off);
    const ReverseStep step = {.gain = 1, .max_variance = INFINITY};
    for (int i = 0; i < images; i++) {
        float *cov = d.cov + (size_t)i * c->dims, *off = d.off + (size_t)i * c->dims;
        d.t[i] = 1 + i % TIMESTEPS;
        random_normal((RandomKey){.seed = 3, .sample = (uint32_t)i}, off, c->dims);
        for (size_t k = 0; k < c->dims; k++) {
            cov[k] = (float)pow(10, -2 * uniform((uint32_t)i, (uint32_t)k));
            if (!correlated)
                off[k] *= sqrtf(cov[k]);
        }
        if (correlated)
            block_covariance_draw(&c->shape, c->correlation, &step, cov, off, off);
    }
    d.residuals =
        (Residuals){.images = images, .dims = c->dims, .t = d.t, .cov = d.cov, .off = d.off};
    return d;
}

static void drawn_free(Drawn *d)
{
    memory_free(d->t), memory_free(d->cov), memory_free(d->off);
    schedule_free(&d->schedule);
}

/* The side is no multiple of the block's: parts of blocks count too. */
START_TEST(the_fit_finds_the_correlations)
{
    Case c = case_make(10, 1, 4, 41);
    Drawn d = draw_residuals(&c, 400, true);
    CorrelationFit fit;
    Error error = {0};
    must(correlation_fit(&fit, &d.residuals, &d.schedule, &d.bins, &c.shape, &error), &error);
    for (int bin = 0; bin < d.bins.count; bin++) {
        const float *r = fit.correlation.matrix + bin * c.n * c.n;
        ck_assert(block_correlation_is_valid(r, c.n));
        ck_assert(fit.share[bin] < 0.1);
        ck_assert(fit.gain[bin] > 5 * fit.gain_error[bin]);
        for (int i = 0; i < c.n * c.n; i++)
            ck_assert_double_eq_tol(r[i], c.correlation[i], 0.15);
        ck_assert_ptr_eq(block_correlation_at(&fit.correlation, bin == 0 ? 50 : 51), r);
    }
    ck_assert_double_eq_tol(fit.mean_gain, (fit.gain[0] + fit.gain[1]) / 2, 1e-12);
    correlation_fit_free(&fit);
    drawn_free(&d);
    case_free(&c);
}
END_TEST

/* Sampling errors alone lose on unseen images, so the shrinkage removes (nearly) all of them. */
START_TEST(independent_residuals_give_no_correlations)
{
    Case c = case_make(8, 1, 4, 51);
    Drawn d = draw_residuals(&c, 60, false);
    CorrelationFit fit;
    Error error = {0};
    must(correlation_fit(&fit, &d.residuals, &d.schedule, &d.bins, &c.shape, &error), &error);
    for (int bin = 0; bin < d.bins.count; bin++) {
        ck_assert(fit.share[bin] >= 0.5);
        ck_assert(fit.gain[bin] >= 0 && fit.gain[bin] < 0.001);
    }
    correlation_fit_free(&fit);
    drawn_free(&d);
    case_free(&c);
}
END_TEST

/* One image in a bin can't be judged, and none can't be summed: R = I. */
START_TEST(bins_without_images_have_no_correlations)
{
    Case c = case_make(8, 1, 2, 61);
    Drawn d = draw_residuals(&c, 2, true); /* t = 1, which has no step to 1, and t = 2 */
    CorrelationFit fit;
    Error error = {0};
    must(correlation_fit(&fit, &d.residuals, &d.schedule, &d.bins, &c.shape, &error), &error);
    for (int bin = 0; bin < d.bins.count; bin++) {
        ck_assert(fit.share[bin] == 1 && fit.gain[bin] == 0);
        for (int i = 0; i < c.n * c.n; i++)
            ck_assert(fit.correlation.matrix[bin * c.n * c.n + i] == (i % (c.n + 1) == 0));
    }
    correlation_fit_free(&fit);
    drawn_free(&d);
    case_free(&c);
}
END_TEST

START_TEST(threads_do_not_change_the_fit)
{
    Case c = case_make(8, 1, 4, 71);
    Drawn d = draw_residuals(&c, 80, true);
    CorrelationFit fit[2];
    Error error = {0};
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 3);
        must(correlation_fit(&fit[i], &d.residuals, &d.schedule, &d.bins, &c.shape, &error),
             &error);
    }
    ck_assert(memcmp(fit[0].correlation.matrix, fit[1].correlation.matrix,
                     (size_t)(d.bins.count * c.n * c.n) * sizeof(float)) == 0);
    ck_assert(fit[0].mean_gain == fit[1].mean_gain);
    correlation_fit_free(&fit[0]);
    correlation_fit_free(&fit[1]);
    drawn_free(&d);
    case_free(&c);
}
END_TEST

START_TEST(matrices_of_files_are_checked)
{
    float r[9] = {1, 0.5f, 0.2f, 0.5f, 1, 0.5f, 0.2f, 0.5f, 1};
    ck_assert(block_correlation_is_valid(r, 3));
    r[1] = 0.4f; /* not symmetric */
    ck_assert(!block_correlation_is_valid(r, 3));
    r[1] = 0.5f, r[4] = 0.9f;
    ck_assert(!block_correlation_is_valid(r, 3));
    r[4] = 1, r[2] = r[6] = -0.9f; /* not positive definite */
    ck_assert(!block_correlation_is_valid(r, 3));
    r[2] = r[6] = NAN;
    ck_assert(!block_correlation_is_valid(r, 3));
}
END_TEST

SUITE_MAIN("block_covariance", rotations_give_eigenvalues_and_coefficients, lanes_do_not_mix,
           rotated_terms_are_the_dense_ones, without_correlations_the_terms_are_diagonal,
           eigenvalues_are_never_negative_and_nans_stay, draws_have_the_covariance,
           bounded_draws_lower_the_diagonal, terms_of_fixed_bases_are_golden,
           the_fit_finds_the_correlations, independent_residuals_give_no_correlations,
           bins_without_images_have_no_correlations, threads_do_not_change_the_fit,
           matrices_of_files_are_checked)
