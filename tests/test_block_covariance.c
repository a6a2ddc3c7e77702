/* Tests of covariances with correlations within blocks of pixels: eigenvalues, rotated residuals and
 * draws. They are compared with dense matrices of a whole image (tests/block_case.h).
 */
#include "tests/block_case.h"

#include "diffusion/likelihood.h"
#include "stats/symmetric.h"

static const double kappas[] = {0.01, 0.7, 40, 9000};
enum { KAPPAS = sizeof kappas / sizeof kappas[0], LANES = SYMMETRIC_LANES };

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
    check_rotation(192, 2);
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
                                    {10, 1, 4}, {3, 2, 4}, {4, 3, 4}, {5, 1, 4},
                                    {17, 1, 8}, {8, 3, 8}, {6, 1, 8}};
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

/* -- Files ------------------------------------------------------------------------------------- */

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
           bounded_draws_lower_the_diagonal, matrices_of_files_are_checked)
