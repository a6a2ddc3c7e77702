/* Tests of covariances with correlations on data whose neighbouring pixels are correlated: a mixture
 * of Gaussians in the coefficients of 2x2 blocks. Its closed forms (diffusion/mixture.h), rotated
 * back to pixels, give the exact mean and the exact covariance of x_0 given x_t. So the correlations
 * can be compared with the best possible diagonal and with the truth.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "diffusion/mixture.h"
#include "evaluation/bound.h"
#include "evaluation/step_distance.h"
#include "variance/correlation_fit.h"

#include <math.h>
#include <omp.h>

enum { SIDE = 8, DIMS = SIDE * SIDE, TIMESTEPS = 100, BLOCK = 2, COMPONENTS = 3 };

/* npr with correlations. */
static void cov_of_npr(const VarianceInput *input, float *cov)
{
    variance_npr.cov(input, cov);
}

static const Variance npr_correlated = {
    .name = "npr_correlated",
    .head = "npr",
    .is_correlated = true,
    .cov = cov_of_npr,
    .draw = variance_draw_correlated,
};

/* -- The data --------------------------------------------------------------------------------- */

typedef struct World {
    Schedule schedule;
    /* Of the coefficients, in the layout of an image. */
    Mixture mixture;
    TimeBins bins;
    CorrelationFit fit;
} World;

/* In each block the first coefficient is the mean, and the others are differences; Haar's transform
 * is its own inverse. */
static void rotate(const double *from, double *to)
{
    for (int y = 0; y < SIDE; y += 2)
        for (int x = 0; x < SIDE; x += 2) {
            const int at = y * SIDE + x;
            const double a = from[at], b = from[at + 1], c = from[at + SIDE],
                         d = from[at + SIDE + 1];
            to[at] = (a + b + c + d) / 2;
            to[at + 1] = (a - b + c - d) / 2;
            to[at + SIDE] = (a + b - c - d) / 2;
            to[at + SIDE + 1] = (a - b - c + d) / 2;
        }
}

/* The mean of a block varies much, and its differences little; how much depends on the place and on
 * the component. */
static World world_make(void)
{
    World w = {.bins = time_bins_even(4, TIMESTEPS)};
    Error error = {0};
    must(schedule_make(&w.schedule, SCHEDULE_LINEAR, TIMESTEPS, &error), &error);
    must(mixture_make(&w.mixture, COMPONENTS, DIMS, &error), &error);
    for (int k = 0; k < COMPONENTS; k++) {
        w.mixture.weight[k] = k == 0 ? 0.5 : 0.25;
        for (int i = 0; i < DIMS; i++) {
            const int y = i / SIDE, x = i % SIDE;
            const bool is_mean = x % 2 == 0 && y % 2 == 0;
            const double bright = sin(0.4 * x * (k + 1) + 0.7 * k) * cos(0.3 * y);
            w.mixture.mean[k * DIMS + i] = is_mean ? 0.5 * bright : 0.02 * (k - 1);
            w.mixture.variance[k * DIMS + i] =
                (is_mean ? 0.05 : 0.004) * (1.2 + 0.8 * cos(0.5 * (x / 2 + y / 2 + k)));
        }
    }
    return w;
}

static void world_free(World *w)
{
    correlation_fit_free(&w->fit);
    mixture_free(&w->mixture);
    schedule_free(&w->schedule);
}

static void draw_image(const World *w, uint64_t seed, uint32_t index, float *image)
{
    double coefficients[DIMS], pixels[DIMS];
    mixture_sample(&w->mixture, seed, index, image);
    for (int i = 0; i < DIMS; i++)
        coefficients[i] = image[i];
    rotate(coefficients, pixels);
    for (int i = 0; i < DIMS; i++)
        image[i] = (float)pixels[i];
}

/* E[eps | x_t] and the exact Cov[x_0 | x_t] [DIMS, DIMS], which may be NULL. The covariance is the
 * mean of the components' covariances plus the covariance of their means. */
static void moments(const World *w, int t, const float *x_t, double *eps, double *cov)
{
    double pixels[DIMS], x[DIMS], own[DIMS];
    for (int i = 0; i < DIMS; i++)
        pixels[i] = x_t[i];
    rotate(pixels, x);
    mixture_moments(&w->mixture, &w->schedule, t, x, own, NULL, NULL);
    rotate(own, eps);
    if (!cov)
        return;
    const double abar = w->schedule.alpha_bar[t], bbar = w->schedule.beta_bar[t];
    double share[COMPONENTS], mean[COMPONENTS][DIMS], total = 0, largest = -INFINITY;
    double within[DIMS] = {0}, overall[DIMS] = {0};
    for (int k = 0; k < COMPONENTS; k++) {
        share[k] = log(w->mixture.weight[k]);
        for (int i = 0; i < DIMS; i++) {
            const double v = w->mixture.variance[k * DIMS + i], m = w->mixture.mean[k * DIMS + i];
            const double spread = abar * v + bbar, off = x[i] - sqrt(abar) * m;
            share[k] -= 0.5 * (log(spread) + off * off / spread);
            mean[k][i] = m + sqrt(abar) * v / spread * off;
        }
        largest = fmax(largest, share[k]);
    }
    for (int k = 0; k < COMPONENTS; k++)
        total += share[k] = exp(share[k] - largest);
    for (int k = 0; k < COMPONENTS; k++)
        for (int i = 0; i < DIMS; i++) {
            const double v = w->mixture.variance[k * DIMS + i];
            within[i] += share[k] / total * v * bbar / (abar * v + bbar);
            overall[i] += share[k] / total * mean[k][i];
        }
    memset(cov, 0, DIMS * DIMS * sizeof *cov);
    for (int j = 0; j < DIMS; j++) { /* column by column of W' diag(within) W */
        double unit[DIMS] = {0}, column[DIMS];
        unit[j] = 1;
        rotate(unit, column);
        for (int i = 0; i < DIMS; i++)
            column[i] *= within[i];
        rotate(column, unit);
        for (int i = 0; i < DIMS; i++)
            cov[i * DIMS + j] = unit[i];
    }
    for (int k = 0; k < COMPONENTS; k++) {
        double off[DIMS], pixel_off[DIMS];
        for (int i = 0; i < DIMS; i++)
            off[i] = mean[k][i] - overall[i];
        rotate(off, pixel_off);
        for (int i = 0; i < DIMS * DIMS; i++)
            cov[i] += share[k] / total * pixel_off[i / DIMS] * pixel_off[i % DIMS];
    }
}

/* -- A perfect network ------------------------------------------------------------------------ */

/* The head is E[(eps - eps_hat)^2 | x_t], so npr is the best possible diagonal. */
static bool predict(void *context, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error)
{
    const World *w = context;
    (void)error;
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        double *eps = memory_small(DIMS + DIMS * DIMS, sizeof *eps), *cov = eps + DIMS;
        const double factor = w->schedule.alpha_bar[t[i]] / w->schedule.beta_bar[t[i]];
        moments(w, t[i], x_t + (size_t)i * DIMS, eps, cov);
        for (int k = 0; k < DIMS; k++) {
            prediction->eps[i * DIMS + k] = (float)eps[k];
            if (prediction->heads[0])
                prediction->heads[0][i * DIMS + k] = (float)(factor * cov[k * DIMS + k]);
        }
        memory_free(eps);
    }
    return true;
}

static Predictor predictor_of(World *w)
{
    return (Predictor){.network = w,
                       .predict = predict,
                       .heads = {"npr"},
                       .batch = 32,
                       .source = {.schedule = &w->schedule,
                                  .dims = DIMS,
                                  .clip_x0 = false,
                                  .correlation = &w->fit.correlation,
                                  .options = estimate_defaults()}};
}

/* Noisy images at all timesteps in turn. */
static void draw_noisy(const World *w, uint64_t seed, int count, int *t, float *x_0, float *x_t)
{
    float *eps = memory_small((size_t)count * DIMS, sizeof *eps);
    for (int i = 0; i < count; i++) {
        t[i] = 1 + i % TIMESTEPS;
        draw_image(w, seed, (uint32_t)i, x_0 + i * DIMS);
        random_normal((RandomKey){.seed = seed, .sample = (uint32_t)i}, eps + i * DIMS, DIMS);
    }
    forward_noise(&w->schedule, t, x_0, eps, (size_t)count, DIMS, x_t);
    memory_free(eps);
}

/* Fits correlations to the residuals of `images` images. */
static void fit(World *w, int images)
{
    const size_t count = (size_t)images * DIMS;
    Error error = {0};
    int *t = memory_small((size_t)images, sizeof *t);
    float *x_0 = memory_small(count, sizeof *x_0), *x_t = memory_small(count, sizeof *x_t);
    float *eps = memory_small(count, sizeof *eps), *cov = memory_small(count, sizeof *cov);
    float *off = memory_small(count, sizeof *off);
    draw_noisy(w, 5, images, t, x_0, x_t);
    const Prediction prediction = {.eps = eps, .heads = {cov}};
    predict(w, x_t, t, images, &prediction, &error);
    for (int i = 0; i < images; i++) {
        const double abar = w->schedule.alpha_bar[t[i]], bbar = w->schedule.beta_bar[t[i]];
        for (int k = i * DIMS; k < (i + 1) * DIMS; k++) {
            off[k] = (float)(x_0[k] - (x_t[k] - sqrt(bbar) * eps[k]) / sqrt(abar));
            cov[k] = (float)(cov[k] * bbar / abar);
        }
    }
    const Residuals residuals = {.images = images, .dims = DIMS, .t = t, .cov = cov, .off = off};
    const BlockShape shape = {.side = SIDE, .channels = 1, .size = BLOCK};
    must(correlation_fit(&w->fit, &residuals, &w->schedule, &w->bins, &shape, &error), &error);
    memory_free(t), memory_free(x_0), memory_free(x_t);
    memory_free(eps), memory_free(cov), memory_free(off);
}

/* -- The distance to the truth ---------------------------------------------------------------- */

/* Makes a [n, n] Cholesky's factor in place, its lower triangle. */
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

/* KL(N(0, I + kappa truth) || N(0, I + kappa model)) of the step. */
static double distance(const double *truth, const double *model, double kappa)
{
    static double a[DIMS * DIMS], b[DIMS * DIMS];
    for (int i = 0; i < DIMS * DIMS; i++) {
        a[i] = kappa * truth[i] + (i % (DIMS + 1) == 0);
        b[i] = kappa * model[i] + (i % (DIMS + 1) == 0);
    }
    const double difference = log_det_of(b, DIMS) - log_det_of(a, DIMS);
    double trace = 0; /* of B^-1 A = |L_b^-1 L_a|^2 */
    for (int j = 0; j < DIMS; j++) {
        double column[DIMS];
        for (int i = 0; i < DIMS; i++) {
            double sum = i >= j ? a[i * DIMS + j] : 0;
            for (int k = 0; k < i; k++)
                sum -= b[i * DIMS + k] * column[k];
            column[i] = sum / b[i * DIMS + i];
            trace += column[i] * column[i];
        }
    }
    return 0.5 * (difference + trace - DIMS);
}

/* log det(T + kappa d d') - log det T, T = I + kappa truth. */
static double log_det_difference(const double *truth, const double *d, double kappa)
{
    static double a[DIMS * DIMS], b[DIMS * DIMS];
    for (int i = 0; i < DIMS * DIMS; i++) {
        a[i] = kappa * truth[i] + (i % (DIMS + 1) == 0);
        b[i] = a[i] + kappa * d[i / DIMS] * d[i % DIMS];
    }
    return log_det_of(b, DIMS) - log_det_of(a, DIMS);
}

/* The model's covariance, element by element from its definition. */
static void model_of(const World *w, int t, const double *truth, bool correlated, double *model)
{
    const float *r = block_correlation_at(&w->fit.correlation, t);
    for (int i = 0; i < DIMS; i++)
        for (int j = 0; j < DIMS; j++) {
            const int yi = i / SIDE, xi = i % SIDE, yj = j / SIDE, xj = j % SIDE;
            const bool together = yi / 2 == yj / 2 && xi / 2 == xj / 2;
            const int at_i = yi % 2 * 2 + xi % 2, at_j = yj % 2 * 2 + xj % 2;
            const double c = i == j ? 1 : correlated && together ? r[at_i * 4 + at_j] : 0;
            model[i * DIMS + j] = c * sqrt(truth[i * DIMS + i] * truth[j * DIMS + j]);
        }
}

/* Mean distances to the truth, of the steps t -> t / 2 of unseen images. */
START_TEST(correlations_come_closer_to_the_truth_than_the_best_diagonal)
{
    enum { IMAGES = 60 };
    static double truth[DIMS * DIMS], model[DIMS * DIMS], eps[DIMS];
    static float x_0[IMAGES * DIMS], x_t[IMAGES * DIMS];
    int t[IMAGES];
    World w = world_make();
    fit(&w, 1200);
    draw_noisy(&w, 6, IMAGES, t, x_0, x_t);
    double diagonal = 0, correlated = 0;
    for (int i = 3; i < IMAGES; i++) {
        const double kappa = likelihood_kappa(&w.schedule, t[i] / 2, t[i]);
        moments(&w, t[i], x_t + i * DIMS, eps, truth);
        model_of(&w, t[i], truth, false, model);
        const double one = distance(truth, model, kappa);
        model_of(&w, t[i], truth, true, model);
        const double other = distance(truth, model, kappa);
        ck_assert(one >= 0 && other >= 0);
        diagonal += one, correlated += other;
    }
    ck_assert_msg(correlated < 0.3 * diagonal, "distances: diagonal %g, with correlations %g",
                  diagonal, correlated);
    world_free(&w);
}
END_TEST

/* step_distance with the exact covariance of a mixture, and both kinds of models, against the dense
 * matrices of the whole image. */
START_TEST(step_distances_are_the_dense_ones)
{
    enum { T = 60, S = 25 };
    static double truth[DIMS * DIMS], model[DIMS * DIMS], within[DIMS], mean_off[DIMS];
    static double factor[COMPONENTS * DIMS], x_t[DIMS], eps[DIMS], diagonal[DIMS];
    float cov[DIMS];
    World w = world_make();
    fit(&w, 400);
    for (int i = 0; i < DIMS; i++)
        x_t[i] = 0.9 * sin(0.35 * i);
    mixture_moments(&w.mixture, &w.schedule, T, x_t, eps, NULL, diagonal);
    mixture_covariance(&w.mixture, &w.schedule, T, x_t, within, factor);
    const double kappa = likelihood_kappa(&w.schedule, S, T);
    for (int i = 0; i < DIMS; i++)
        for (int j = 0; j < DIMS; j++) {
            truth[i * DIMS + j] = i == j ? within[i] : 0;
            for (int k = 0; k < COMPONENTS; k++)
                truth[i * DIMS + j] += factor[k * DIMS + i] * factor[k * DIMS + j];
        }
    for (int i = 0; i < DIMS; i++) {
        ck_assert_double_eq_tol(truth[i * DIMS + i], diagonal[i], 1e-12);
        mean_off[i] = 0.05 * cos(i);
        cov[i] = (float)truth[i * DIMS + i];
    }
    const StepTruth given = {.dims = DIMS,
                             .factors = COMPONENTS,
                             .within = within,
                             .factor = factor,
                             .mean_off = mean_off};
    for (int correlated = 0; correlated < 2; correlated++) {
        model_of(&w, T, truth, correlated, model);
        const double got =
            correlated ? step_distance_correlated(&given, kappa, &w.fit.correlation.shape,
                                                  block_correlation_at(&w.fit.correlation, T), cov)
                       : step_distance(&given, kappa, cov);
        for (int i = 0; i < DIMS * DIMS; i++) /* T + kappa d d' has the same trace and form */
            truth[i] += mean_off[i / DIMS] * mean_off[i % DIMS];
        double with_mean = distance(truth, model, kappa);
        for (int i = 0; i < DIMS * DIMS; i++)
            truth[i] -= mean_off[i / DIMS] * mean_off[i % DIMS];
        with_mean += log_det_difference(truth, mean_off, kappa) / 2;
        ck_assert_double_eq_tol(got, with_mean, 1e-5 * with_mean);
    }
    cov[5] = (float)(-2 / kappa);
    ck_assert(isnan(step_distance(&given, kappa, cov)));
    world_free(&w);
}
END_TEST

/* -- Bounds ----------------------------------------------------------------------------------- */

enum { BOUND_IMAGES = 40, STEPS = 6 };

/* A sweep over a cell for each of the two variances, npr and npr with correlations. */
typedef struct Sweep {
    Bound *bound;
    BoundTask task;
    BoundCell cells[2];
    int timesteps[STEPS + 1];
    Predictor predictor;
    float *x_0;
} Sweep;

static const Variance *const kinds[] = {&variance_npr, &npr_correlated};

static void sweep(Sweep *s, World *w, bool tables, double clip_pixel)
{
    Error error = {0};
    *s = (Sweep){.predictor = predictor_of(w)};
    s->x_0 = memory_small(BOUND_IMAGES * DIMS, sizeof *s->x_0);
    for (int i = 0; i < BOUND_IMAGES; i++)
        draw_image(w, 7, (uint32_t)i, s->x_0 + i * DIMS);
    must(trajectory_make(TRAJECTORY_LINEAR, TIMESTEPS, STEPS, s->timesteps, &error), &error);
    for (int v = 0; v < 2; v++)
        s->cells[v] = (BoundCell){.variance = v, .steps = STEPS, .timesteps = s->timesteps};
    s->task = (BoundTask){.variances = kinds,
                          .variance_count = 2,
                          .cells = s->cells,
                          .cell_count = 2,
                          .tables = tables,
                          .clip_pixel = clip_pixel,
                          .images = BOUND_IMAGES,
                          .x_0 = s->x_0,
                          .seed = 9};
    must(bound_make(&s->bound, &s->predictor, &s->task, &error), &error);
    for (int t = TIMESTEPS; t >= 1; t--)
        if (bound_needs(s->bound, t))
            must(bound_visit(s->bound, t, NULL, &error), &error);
}

static void sweep_free(Sweep *s)
{
    bound_free(s->bound);
    memory_free(s->x_0);
}

/* The entropies of the last terms are equal, so all of the gain lies in the steps. */
START_TEST(correlations_lower_the_bound)
{
    World w = world_make();
    Sweep s;
    fit(&w, 1200);
    sweep(&s, &w, true, 0);
    const BoundSums *sums = bound_sums(s.bound);
    double gain = 0, square = 0;
    for (int i = 0; i < BOUND_IMAGES; i++) {
        const double one = sums->bits[i] - sums->bits[BOUND_IMAGES + i];
        gain += one, square += one * one;
    }
    gain /= BOUND_IMAGES;
    const double error = sqrt((square / BOUND_IMAGES - gain * gain) / (BOUND_IMAGES - 1));
    ck_assert_msg(gain > 0.1 && gain > 5 * error, "gain %g +- %g", gain, error);

    /* The tables of the dynamic programme say the same of each step, but for their interpolation. */
    for (int v = 0; v < 2; v++)
        for (int k = 2; k <= STEPS; k++) {
            const size_t from = (size_t)s.timesteps[k], to = (size_t)s.timesteps[k - 1];
            const size_t row = TIMESTEPS + 1;
            const double term = sums->terms[(size_t)v * row + from];
            const double cost = sums->tables[((size_t)v * row + to) * row + from];
            ck_assert_double_eq_tol(cost, term, 1e-7 * fabs(term));
        }
    sweep_free(&s);
    world_free(&w);
}
END_TEST

/* Calibration is measured in the directions of the eigenvectors; the sums do not change by a
 * rotation. */
START_TEST(correlated_estimates_are_calibrated_in_their_directions)
{
    World w = world_make();
    Sweep s;
    fit(&w, 1200);
    sweep(&s, &w, false, 0);
    const BoundSums *sums = bound_sums(s.bound);
    for (int k = 1; k <= STEPS; k++) {
        const int t = s.timesteps[k];
        const double one = sums->ratio[t], other = sums->ratio[TIMESTEPS + 1 + t];
        ck_assert_double_eq_tol(one, other, 1e-5 * one);
        if (k >= 3) /* below, R changes much within its bin */
            ck_assert_double_eq_tol(sums->calibration[TIMESTEPS + 1 + t], 1, 0.1);
    }
    sweep_free(&s);
    world_free(&w);
}
END_TEST

/* The bounded step is the one that a draw takes: D is lowered, R stays. With a bound that no
 * estimate reaches nothing changes, and with one below lambda^2 both variances are equal. */
START_TEST(bounded_terms_lower_the_diagonal)
{
    World w = world_make();
    Sweep free_, high, low, some;
    fit(&w, 400);
    sweep(&free_, &w, false, 0);
    sweep(&high, &w, false, 1e4);
    sweep(&low, &w, false, 1e-3);
    sweep(&some, &w, false, 12);
    const int t = free_.timesteps[2], s = free_.timesteps[1], row = TIMESTEPS + 1;
    const double *terms = bound_sums(free_.bound)->terms;
    ck_assert(bound_sums(high.bound)->terms[row + t] == terms[row + t]);
    ck_assert(bound_sums(low.bound)->terms[row + t] == bound_sums(low.bound)->terms[t]);
    ck_assert(bound_sums(some.bound)->terms[row + t] != terms[row + t]);

    /* By hand: the mean over images with lowered estimates. */
    Error error = {0};
    const double most = likelihood_most_cov(&w.schedule, s, t, reverse_pixel_variance(12));
    ck_assert(most > 0 && most < 0.05);
    double sum = 0;
    for (int i = 0; i < BOUND_IMAGES; i++) {
        float noise[DIMS], x_t[DIMS], eps[DIMS], cov[DIMS], value[DIMS];
        double off[DIMS], square[DIMS];
        const Prediction prediction = {.eps = eps, .heads = {cov}};
        random_normal((RandomKey){.seed = 9,
                                  .purpose = RANDOM_LIKELIHOOD,
                                  .step = (uint32_t)t,
                                  .sample = (uint32_t)i},
                      noise, DIMS);
        forward_noise(&w.schedule, &t, some.x_0 + i * DIMS, noise, 1, DIMS, x_t);
        predict(&w, x_t, &t, 1, &prediction, &error);
        const double abar = w.schedule.alpha_bar[t], bbar = w.schedule.beta_bar[t];
        for (int k = 0; k < DIMS; k++) {
            off[k] = some.x_0[i * DIMS + k] - (x_t[k] - sqrt(bbar) * eps[k]) / sqrt(abar);
            cov[k] = (float)fmin(cov[k] * bbar / abar, most);
        }
        block_covariance_rotate(&w.fit.correlation.shape,
                                block_correlation_at(&w.fit.correlation, t), cov, off, value,
                                square);
        sum += likelihood_step(likelihood_kappa(&w.schedule, s, t), square, value, INFINITY, DIMS);
    }
    const double want = sum / BOUND_IMAGES / (DIMS * log(2));
    ck_assert_double_eq_tol(bound_sums(some.bound)->terms[row + t], want, 1e-5 * want);
    sweep_free(&free_), sweep_free(&high), sweep_free(&low), sweep_free(&some);
    world_free(&w);
}
END_TEST

/* Averaged estimates are one number for each image, but their covariance is not scalar. */
START_TEST(averaged_estimates_keep_their_correlations)
{
    World w = world_make();
    Sweep s;
    fit(&w, 800);
    sweep(&s, &w, false, 0);
    bound_free(s.bound);
    s.predictor.source.options.average = true;
    Error error = {0};
    must(bound_make(&s.bound, &s.predictor, &s.task, &error), &error);
    for (int t = TIMESTEPS; t >= 1; t--)
        if (bound_needs(s.bound, t))
            must(bound_visit(s.bound, t, NULL, &error), &error);
    double unused;
    ck_assert(bound_mean(s.bound, 1, &unused) < bound_mean(s.bound, 0, &unused) - 0.05);
    sweep_free(&s);
    world_free(&w);
}
END_TEST

START_TEST(threads_do_not_change_the_bound)
{
    World w = world_make();
    Sweep s[2];
    fit(&w, 200);
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 3);
        sweep(&s[i], &w, true, 0);
    }
    const size_t row = TIMESTEPS + 1;
    ck_assert(memcmp(bound_sums(s[0].bound)->bits, bound_sums(s[1].bound)->bits,
                     2 * BOUND_IMAGES * sizeof(double)) == 0);
    ck_assert(memcmp(bound_sums(s[0].bound)->tables, bound_sums(s[1].bound)->tables,
                     2 * row * row * sizeof(double)) == 0);
    sweep_free(&s[0]), sweep_free(&s[1]);
    world_free(&w);
}
END_TEST

SUITE_MAIN("correlated_mixture", correlations_come_closer_to_the_truth_than_the_best_diagonal,
           step_distances_are_the_dense_ones, correlations_lower_the_bound,
           correlated_estimates_are_calibrated_in_their_directions,
           bounded_terms_lower_the_diagonal, averaged_estimates_keep_their_correlations,
           threads_do_not_change_the_bound)
