/* Tests of the sweep that computes every bound, on a mixture of Gaussians. Its results are compared
 * with brute force and with the exact answer, which is known there.
 *
 * VARHEAD_TABLE=1 in the environment prints the effect of a wrong mean on each variance. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/best_path.h"
#include "diffusion/forward.h"
#include "diffusion/mixture.h"
#include "evaluation/bound.h"
#include "tests/expect.h"

#include <math.h>
#include <string.h>

/* The variances that have bounds and whose head the oracle knows, but for those that depend on s: toys
 * stand for them below. */
static const Variance *kinds[VARIANCE_COUNT];
static int kind_count;

/* The oracle's heads. It knows no Jacobian. */
enum { ORACLE_SN, ORACLE_NPR, ORACLE_NLL, ORACLE_HEADS };
static const char *const oracle_heads[ORACLE_HEADS] = {
    [ORACLE_SN] = "sn", [ORACLE_NPR] = "npr", [ORACLE_NLL] = "nll"};

static bool oracle_knows(const Variance *variance)
{
    for (int head = 0; variance->head && head < ORACLE_HEADS; head++)
        if (strcmp(variance->head, oracle_heads[head]) == 0)
            return true;
    return !variance->head;
}

__attribute__((constructor)) static void list_kinds(void)
{
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (!variance_table[v]->no_bound && oracle_knows(variance_table[v]))
            kinds[kind_count++] = variance_table[v];
    kind_count = variances_with_tables(kinds, kind_count);
}

static void sweep(Bound *bound, int timesteps)
{
    Error error = {0};
    for (int t = timesteps; t >= 1; t--)
        if (bound_needs(bound, t))
            must(bound_visit(bound, t, NULL, &error), &error);
}

/* -- A mixture in the network's place --------------------------------------------------------- */

/* A network that knows E[eps | x_t], but for an error of `wrong` standard deviations of the noise left in
 * x_0, with alternating signs; and perfect heads for what it says. */
typedef struct Oracle {
    Schedule schedule;
    Mixture mixture;
    double wrong;
    double *ms_eps;     /* [N + 1] */
    float *ms_eps_diag; /* [N + 1, dims] */
    float *x_0;         /* [images, dims] */
    int images;
} Oracle;

/* SNR_t / SNR_1, which a head for nll adds to E[(eps - eps_hat)^2 | x_t]. */
static double least_ratio(const Oracle *o, int t)
{
    const double *alpha = o->schedule.alpha_bar, *beta = o->schedule.beta_bar;
    return alpha[t] / beta[t] * beta[1] / alpha[1];
}

/* How often the oracle was asked. */
static int passes;

static bool oracle_predict(void *context, const float *x_t, const int *t, int count,
                           const Prediction *prediction, Error *error)
{
    const Oracle *o = context;
    const size_t dims = o->mixture.dims;
    (void)error;
    passes++;
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        double *x = memory_small(3 * dims, sizeof *x), *eps = x + dims, *eps2 = eps + dims;
        for (size_t k = 0; k < dims; k++)
            x[k] = x_t[(size_t)i * dims + k];
        mixture_moments(&o->mixture, &o->schedule, t[i], x, eps, eps2, NULL);
        for (size_t k = 0; k < dims; k++) {
            const size_t at = (size_t)i * dims + k;
            const double left = sqrt(fmax(eps2[k] - eps[k] * eps[k], 0));
            const double hat = eps[k] + (k % 2 ? 1 : -1) * o->wrong * left;
            prediction->eps[at] = (float)hat;
            if (prediction->heads[ORACLE_SN])
                prediction->heads[ORACLE_SN][at] = (float)eps2[k];
            if (prediction->heads[ORACLE_NPR])
                prediction->heads[ORACLE_NPR][at] = (float)(eps2[k] - 2 * hat * eps[k] + hat * hat);
            if (prediction->heads[ORACLE_NLL])
                prediction->heads[ORACLE_NLL][at] =
                    (float)log(eps2[k] - 2 * hat * eps[k] + hat * hat + least_ratio(o, t[i]));
        }
        memory_free(x);
    }
    return true;
}

/* Correlations of 2x2 blocks that are none: nll_block is nll. */
static float no_correlations[4 * 4] = {[0] = 1, [5] = 1, [10] = 1, [15] = 1};

static BlockCorrelation block_correlation;

static Predictor oracle_predictor(Oracle *o)
{
    block_correlation = (BlockCorrelation){
        .shape = {.side = (int)sqrt((double)o->mixture.dims), .channels = 1, .size = 2},
        .bins = time_bins_even(1, o->schedule.timesteps),
        .matrix = no_correlations};
    return (Predictor){
        .network = o,
        .predict = oracle_predict,
        .heads = {oracle_heads[ORACLE_SN], oracle_heads[ORACLE_NPR], oracle_heads[ORACLE_NLL]},
        .batch = 64,
        .source = {.schedule = &o->schedule,
                   .dims = o->mixture.dims,
                   .ms_eps = o->ms_eps,
                   .ms_eps_diag = o->ms_eps_diag,
                   .mixture = &o->mixture,
                   .correlation = &block_correlation,
                   .clip_x0 = true,
                   .options = estimate_defaults()}};
}

/* analytic's constants at timestep t, from other images than are bounded: E[eps_hat^2] = 1 - E[h - eps_hat^2],
 * since E[h] = 1, which a mean over few images gives better than the mean of eps_hat^2. */
static void measure_constants(Oracle *o, int t)
{
    enum { TRAIN = 4000, SEED = 1 };
    const size_t dims = o->mixture.dims, count = TRAIN * dims;
    float *x_0 = memory_small(count, sizeof *x_0), *eps = memory_small(count, sizeof *eps);
    float *sn = memory_small(count, sizeof *sn);
    int *ts = memory_small(TRAIN, sizeof *ts);
    Error error = {0};
    for (int i = 0; i < TRAIN; i++) {
        ts[i] = t;
        mixture_sample(&o->mixture, SEED, (uint32_t)i, x_0 + (size_t)i * dims);
        random_normal((RandomKey){.seed = SEED, .step = (uint32_t)t, .sample = (uint32_t)i},
                      eps + (size_t)i * dims, dims);
    }
    forward_noise(&o->schedule, ts, x_0, eps, TRAIN, dims, x_0);
    const Prediction prediction = {.eps = eps, .heads = {[ORACLE_SN] = sn}};
    must(oracle_predict(o, x_0, ts, TRAIN, &prediction, &error), &error);
    for (size_t k = 0; k < dims; k++) {
        double sum = TRAIN;
        for (size_t i = k; i < count; i += dims)
            sum -= sn[i] - (double)eps[i] * eps[i];
        o->ms_eps_diag[(size_t)t * dims + k] = (float)(sum / TRAIN);
        o->ms_eps[t] += sum / TRAIN / (double)dims;
    }
    memory_free(x_0), memory_free(eps), memory_free(sn), memory_free(ts);
}

/* With constants at the `count` timesteps of `at`, or at all (NULL). */
static void oracle_make(Oracle *o, int timesteps, int side, int images, double wrong, const int *at,
                        int count)
{
    Error error = {0};
    *o = (Oracle){.wrong = wrong, .images = images};
    must(schedule_make(&o->schedule, SCHEDULE_LINEAR, timesteps, &error), &error);
    must(mixture_builtin(&o->mixture, side, 1, &error), &error);
    const size_t entries = (size_t)timesteps + 1, dims = o->mixture.dims;
    o->ms_eps = memory_small(entries, sizeof *o->ms_eps);
    o->ms_eps_diag = memory_small(entries * dims, sizeof *o->ms_eps_diag);
    o->x_0 = memory_small((size_t)images * dims, sizeof *o->x_0);
    for (int i = 0; i < images; i++)
        mixture_sample(&o->mixture, 2, (uint32_t)i, o->x_0 + (size_t)i * dims);
    for (int k = 0; k < (at ? count : timesteps); k++)
        measure_constants(o, at ? at[k] : k + 1);
}

static void oracle_free(Oracle *o)
{
    memory_free(o->x_0), memory_free(o->ms_eps), memory_free(o->ms_eps_diag);
    mixture_free(&o->mixture);
    schedule_free(&o->schedule);
}

/* -- Best trajectories by brute force --------------------------------------------------------- */

enum { FEW = 22, MOST_STEPS = 5 };

/* The next subset of 1 .. FEW - 1 of that size, in order; false after the last. */
static bool next_subset(int *subset, int size)
{
    int i = size - 1;
    while (i >= 0 && subset[i] == FEW - size + i)
        i--;
    if (i < 0)
        return false;
    subset[i]++;
    for (int j = i + 1; j < size; j++)
        subset[j] = subset[j - 1] + 1;
    return true;
}

/* Every trajectory of `steps` steps is a cell of a sweep of its own, whose bounds are computed image by
 * image; the table of another sweep must lead to the best of them. */
static void check_every_trajectory(Oracle *o, const Predictor *predictor, int steps)
{
    int subset[MOST_STEPS], count = 0;
    int(*timesteps)[MOST_STEPS + 1] = memory_small(20000, sizeof *timesteps);
    for (int i = 0; i < steps - 1; i++)
        subset[i] = i + 1;
    do {
        for (int i = 0; i < steps - 1; i++)
            timesteps[count][i + 1] = subset[i];
        timesteps[count++][steps] = FEW;
    } while (next_subset(subset, steps - 1));

    BoundCell *cells = memory_small((size_t)(count * kind_count), sizeof *cells);
    for (int v = 0; v < kind_count; v++)
        for (int c = 0; c < count; c++)
            cells[v * count + c] = (BoundCell){.variance = v,
                                               .trajectory = TRAJECTORY_DP,
                                               .steps = steps,
                                               .timesteps = timesteps[c]};
    Error error = {0};
    Bound *bound = NULL;
    const BoundTask task = {.variances = kinds,
                            .variance_count = kind_count,
                            .cells = cells,
                            .cell_count = count * kind_count,
                            .tables = true,
                            .images = o->images,
                            .x_0 = o->x_0,
                            .seed = 3};
    must(bound_make(&bound, predictor, &task, &error), &error);
    sweep(bound, FEW);
    const size_t row = FEW + 1;
    for (int v = 0; v < kind_count; v++) {
        const double *table = bound_sums(bound)->tables + (size_t)v * row * row;
        int best[MOST_STEPS + 1];
        double least = INFINITY, path = bound_prior(bound), ignored;
        must(best_path(table, FEW, steps, best, &error), &error);
        for (int k = 1; k <= steps; k++)
            path += table[(size_t)best[k - 1] * row + (size_t)best[k]];
        for (int c = 0; c < count; c++)
            least = smaller(least, bound_mean(bound, v * count + c, &ignored));
        ck_assert_msg(fabs(path - least) <= 1e-7 * least,
                      "%s, %d steps: %.12g by dynamic programming, %.12g by brute force",
                      kinds[v]->name, steps, path, least);
    }
    memory_free(cells);
    memory_free(timesteps);
    bound_free(bound);
}

START_TEST(best_trajectories_are_those_of_brute_force)
{
    Oracle o;
    oracle_make(&o, FEW, 3, 10, 0.3, NULL, 0);
    Predictor predictor = oracle_predictor(&o);
    for (int steps = 1; steps <= 4; steps++)
        check_every_trajectory(&o, &predictor, steps);
    predictor.source.options.average = true;
    check_every_trajectory(&o, &predictor, 3);
    predictor.source.options.average = false;
    predictor.source.options.scale = 2; /* estimates of up to 2 */
    check_every_trajectory(&o, &predictor, 3);
    predictor.source.options.scale = 1000;
    check_every_trajectory(&o, &predictor, 3);
    oracle_free(&o);
}
END_TEST

/* -- Batches ---------------------------------------------------------------------------------- */

/* Sweeps all variances, with tables. A batch has room for `batch` images. */
static Bound *sweep_in_batches(Oracle *o, int batch)
{
    static const int timesteps[] = {0, 1, 4, 5, 9, FEW};
    static BoundCell cells[VARIANCE_COUNT];
    static BoundTask task;
    static Predictor predictor;
    Error error = {0};
    Bound *bound = NULL;
    for (int v = 0; v < kind_count; v++)
        cells[v] = (BoundCell){.variance = v, .steps = 5, .timesteps = timesteps};
    task = (BoundTask){.variances = kinds,
                       .variance_count = kind_count,
                       .cells = cells,
                       .cell_count = kind_count,
                       .tables = true,
                       .images = o->images,
                       .x_0 = o->x_0,
                       .seed = 3};
    predictor = oracle_predictor(o);
    predictor.batch = batch;
    passes = 0;
    must(bound_make(&bound, &predictor, &task, &error), &error);
    sweep(bound, FEW);
    return bound;
}

START_TEST(batches_of_several_timesteps_change_nothing)
{
    const int batches[] = {4, 19, 20, 33, 1000};
    const int expected[] = {3 * FEW, FEW, FEW / 2, (FEW + 2) / 3, 1};
    const size_t row = FEW + 1, tables = (size_t)kind_count * row * row;
    Oracle o;
    oracle_make(&o, FEW, 3, 10, 0.3, NULL, 0);
    Bound *whole = sweep_in_batches(&o, 10);
    ck_assert_int_eq(passes, FEW);
    for (int i = 0; i < 5; i++) {
        Bound *other = sweep_in_batches(&o, batches[i]);
        const BoundSums *a = bound_sums(whole), *b = bound_sums(other);
        ck_assert_int_eq(passes, expected[i]);
        ck_assert_mem_eq(a->tables, b->tables, tables * sizeof *a->tables);
        ck_assert_mem_eq(a->bits, b->bits, (size_t)(kind_count * o.images) * sizeof *a->bits);
        ck_assert_mem_eq(a->tenths, b->tenths,
                         (size_t)kind_count * row * 2 * TENTHS * sizeof *a->tenths);
        bound_free(other);
    }
    bound_free(whole);
    oracle_free(&o);
}
END_TEST

/* -- The truth -------------------------------------------------------------------------------- */

enum { TIMESTEPS = 1000, K = 10, SIDE = 8, IMAGES = 400 };

/* One linear trajectory of K steps, all variances. */
typedef struct Truth {
    Oracle oracle;
    Predictor predictor;
    int timesteps[K + 1];
    BoundCell cells[VARIANCE_COUNT];
    BoundTask task;
    Bound *bound;
} Truth;

static void truth_make(Truth *s, double wrong)
{
    Error error = {0};
    must(trajectory_make(TRAJECTORY_LINEAR, TIMESTEPS, K, s->timesteps, &error), &error);
    oracle_make(&s->oracle, TIMESTEPS, SIDE, IMAGES, wrong, s->timesteps + 1, K);
    s->predictor = oracle_predictor(&s->oracle);
    for (int v = 0; v < kind_count; v++)
        s->cells[v] = (BoundCell){.variance = v, .steps = K, .timesteps = s->timesteps};
    s->task = (BoundTask){.variances = kinds,
                          .variance_count = kind_count,
                          .cells = s->cells,
                          .cell_count = kind_count,
                          .images = IMAGES,
                          .x_0 = s->oracle.x_0,
                          .seed = 4};
    must(bound_make(&s->bound, &s->predictor, &s->task, &error), &error);
    sweep(s->bound, TIMESTEPS);
}

static void truth_free(Truth *s)
{
    bound_free(s->bound);
    oracle_free(&s->oracle);
}

static double bits_of(const Truth *s, const Variance *kind)
{
    double error;
    for (int v = 0; v < kind_count; v++)
        if (kinds[v] == kind)
            return bound_mean(s->bound, v, &error);
    return NAN;
}

static double calibration_of(const Truth *s, const Variance *kind, int t, double *error)
{
    for (int v = 0; v < kind_count; v++)
        if (kinds[v] == kind) {
            *error = bound_sums(s->bound)->calibration_error[v * (TIMESTEPS + 1) + t];
            return bound_sums(s->bound)->calibration[v * (TIMESTEPS + 1) + t];
        }
    return NAN;
}

START_TEST(with_a_perfect_network_all_heads_are_exact)
{
    Truth s;
    truth_make(&s, 0);
    const double exact = bits_of(&s, &variance_true);
    /* float32 rounds what a head says: u is 1e-4 of it at the smallest t. */
    ck_assert_double_eq_tol(bits_of(&s, &variance_sn), exact, 1e-4);
    ck_assert_double_eq_tol(bits_of(&s, &variance_npr), exact, 1e-4);
    ck_assert_double_eq_tol(bits_of(&s, &variance_sn), bits_of(&s, &variance_npr), 1e-4);
    ck_assert_double_eq_tol(bits_of(&s, &variance_nll), exact, 1e-3); /* tiny ones are raised */
    ck_assert_double_eq_tol(bits_of(&s, &variance_nll_block), bits_of(&s, &variance_nll), 1e-4);
    for (int v = 0; v < kind_count; v++)
        ck_assert_msg(bits_of(&s, kinds[v]) > exact - 1e-4, "%s beats the exact variance",
                      kinds[v]->name);
    /* One number per timestep loses a good deal, one per dimension less. */
    ck_assert_double_gt(bits_of(&s, &variance_analytic), exact + 0.01);
    ck_assert_double_gt(bits_of(&s, &variance_analytic), bits_of(&s, &variance_analytic_diag));
    for (int k = 1; k <= K; k++) {
        double error;
        double found = calibration_of(&s, &variance_true, s.timesteps[k], &error);
        ck_assert_msg(fabs(found - 1) <= 4 * error && error < 0.1,
                      "t = %d: calibration %g +- %g, expected 1", s.timesteps[k], found, error);
        /* One number per timestep is right on the whole, if not anywhere: the same sum of Cov. At t = 1
         * the clip of x_0_hat misses what data lie beyond [-1, 1] by more than that; only exact knows. */
        const double *ratio = bound_sums(s.bound)->ratio + s.timesteps[k];
        int truth = 0;
        while (kinds[truth] != &variance_true)
            truth++;
        const double of_exact = ratio[truth * (TIMESTEPS + 1)];
        for (int v = 0; v < kind_count; v++)
            if (!variance_is_fixed(kinds[v]) && s.timesteps[k] > 1)
                ck_assert_msg(fabs(ratio[v * (TIMESTEPS + 1)] / of_exact - 1) < 0.05,
                              "t = %d: Cov of %s is %g times the exact one on the whole",
                              s.timesteps[k], kinds[v]->name,
                              of_exact / ratio[v * (TIMESTEPS + 1)]);
    }
    double none;
    ck_assert(isnan(calibration_of(&s, &variance_beta_tilde, s.timesteps[3], &none)));
    truth_free(&s);
}
END_TEST

static void print_table(const Truth *s)
{
    fprintf(stderr, "a mean that is off by %g standard deviations of x_0 given x_t\n%-14s %9s",
            s->oracle.wrong, "", "bits/dim");
    for (int k = 1; k <= K; k += 2)
        fprintf(stderr, "   t = %4d", s->timesteps[k]);
    fprintf(stderr, "\n");
    for (int v = 0; v < kind_count; v++) {
        double error;
        fprintf(stderr, "%-14s %9.4f", kinds[v]->name, bits_of(s, kinds[v]));
        for (int k = 1; k <= K; k += 2)
            fprintf(stderr, "   %8.3f", calibration_of(s, kinds[v], s->timesteps[k], &error));
        fprintf(stderr, "\n");
    }
}

/* SN takes the mean to be right: a wrong one makes its variance too small. NPR sees the error. */
START_TEST(with_a_wrong_mean_npr_stays_calibrated_and_sn_does_not)
{
    for (double wrong = 0.25; wrong <= 0.5; wrong *= 2) {
        Truth s;
        truth_make(&s, wrong);
        if (getenv("VARHEAD_TABLE"))
            print_table(&s);
        for (int k = 1; k <= K; k++) {
            double of_sn = 0, of_npr = 0;
            double sn = calibration_of(&s, &variance_sn, s.timesteps[k], &of_sn);
            double npr = calibration_of(&s, &variance_npr, s.timesteps[k], &of_npr);
            ck_assert_msg(fabs(npr - 1) <= 4 * of_npr && of_npr < 0.1,
                          "t = %d: NPR's calibration is %g +- %g", s.timesteps[k], npr, of_npr);
            ck_assert_msg(sn > 1 + wrong * wrong && sn - 1 > 4 * of_sn,
                          "t = %d: SN's calibration is %g +- %g", s.timesteps[k], sn, of_sn);
        }
        ck_assert_double_eq_tol(bits_of(&s, &variance_npr), bits_of(&s, &variance_true), 1e-4);
        ck_assert_double_gt(bits_of(&s, &variance_sn), bits_of(&s, &variance_npr) + 0.02);
        truth_free(&s);
    }
}
END_TEST

/* -- Variances that depend on s --------------------------------------------------------------- */

/* Two variances of the table as variances of a step: beta_{t|s}, and lambda^2 + gain Cov by npr. */
static void toy_beta(const VarianceInput *input, const ReverseStep *step, double *variance)
{
    for (size_t i = 0; i < input->dims; i++)
        variance[i] = schedule_skip_beta(input->schedule, step->s, step->t);
}

static void toy_npr(const VarianceInput *input, const ReverseStep *step, double *variance)
{
    for (size_t i = 0; i < input->dims; i++)
        variance[i] =
            step->lambda2 + step->gain * variance_clipped(variance_factor(input) * input->head[i]);
}

static const Variance toys[] = {
    {.name = "toy_beta", .depends_on_step = true, .step_variance = toy_beta},
    {.name = "toy_npr", .head = "npr", .depends_on_step = true, .step_variance = toy_npr},
};
static const Variance *const twins[] = {&variance_beta, &toys[0], &variance_npr, &toys[1]};

enum { TWINS = 4, LENGTHS = 3, LONGEST = 20 };

/* Several trajectories leave the same t for different s. */
static void check_twins(Oracle *o, double clip_pixel)
{
    static const int lengths[LENGTHS] = {5, 10, LONGEST};
    const Predictor predictor = oracle_predictor(o);
    int timesteps[LENGTHS][LONGEST + 1];
    BoundCell cells[LENGTHS * TWINS];
    Error error = {0};
    Bound *bound = NULL;
    for (int k = 0; k < LENGTHS; k++) {
        must(trajectory_make(TRAJECTORY_LINEAR, 40, lengths[k], timesteps[k], &error), &error);
        for (int v = 0; v < TWINS; v++)
            cells[k * TWINS + v] =
                (BoundCell){.variance = v, .steps = lengths[k], .timesteps = timesteps[k]};
    }
    const BoundTask task = {.variances = twins,
                            .variance_count = TWINS,
                            .cells = cells,
                            .cell_count = LENGTHS * TWINS,
                            .clip_pixel = clip_pixel,
                            .images = o->images,
                            .x_0 = o->x_0,
                            .seed = 5};
    must(bound_make(&bound, &predictor, &task, &error), &error);
    sweep(bound, 40);
    for (int k = 0; k < LENGTHS; k++)
        for (int v = 0; v < TWINS; v += 2) {
            double ignored;
            const double want = bound_mean(bound, k * TWINS + v, &ignored);
            const double got = bound_mean(bound, k * TWINS + v + 1, &ignored);
            ck_assert_msg(fabs(got - want) <= 1e-6 * fabs(want),
                          "%s, K = %d: %.12g, expected %.12g", twins[v + 1]->name, lengths[k], got,
                          want);
        }
    for (int v = 0; v < TWINS; v++) {
        const int at = v * 41 + timesteps[LENGTHS - 1][3];
        ck_assert((isnan(bound_sums(bound)->calibration[at]) != 0) == twins[v]->depends_on_step);
    }
    bound_free(bound);
}

START_TEST(a_variance_of_a_step_is_evaluated_for_each_cell)
{
    Oracle o;
    oracle_make(&o, 40, 3, 10, 0.3, NULL, 0);
    check_twins(&o, 0);
    check_twins(&o, 20); /* the last noise is bounded */
    oracle_free(&o);
}
END_TEST

START_TEST(a_variance_of_a_step_has_no_tables)
{
    Oracle o;
    Error error = {0};
    Bound *bound = NULL;
    oracle_make(&o, 40, 3, 2, 0.3, NULL, 0);
    const Predictor predictor = oracle_predictor(&o);
    const BoundTask task = {
        .variances = twins, .variance_count = 2, .tables = true, .images = o.images, .x_0 = o.x_0};
    ck_assert(!bound_make(&bound, &predictor, &task, &error));
    ck_assert_ptr_null(bound);
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_ptr_nonnull(strstr(error.message, "toy_beta"));
    oracle_free(&o);
}
END_TEST

SUITE_MAIN("bound_mixture", best_trajectories_are_those_of_brute_force,
           batches_of_several_timesteps_change_nothing, with_a_perfect_network_all_heads_are_exact,
           with_a_wrong_mean_npr_stays_calibrated_and_sn_does_not,
           a_variance_of_a_step_is_evaluated_for_each_cell, a_variance_of_a_step_has_no_tables)
