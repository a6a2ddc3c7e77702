/* Tests of the sweep that computes every bound. Its results are compared with an independent
 * implementation that uses the same noise, with brute force, and with the exact answer, which is
 * known for a mixture of Gaussians.
 *
 * VARHEAD_TABLE=1 in the environment prints the effect of a wrong mean on each variance.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/best_path.h"
#include "diffusion/forward.h"
#include "diffusion/mixture.h"
#include "evaluation/bound.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/golden_network.h"

#include <math.h>

static const char golden_a[] = "tests/golden/golden_a.h5";
static const char expected_a[] = "tests/golden/golden_a_expected.h5";
static const char golden_b[] = "tests/golden/golden_b.h5";
static const char expected_b[] = "tests/golden/golden_b_expected.h5";

static void sweep(Bound *bound, int timesteps)
{
    Error error = {0};
    for (int t = timesteps; t >= 1; t--)
        if (bound_needs(bound, t))
            must(bound_visit(bound, t, NULL, &error), &error);
}

/* -- Golden values ---------------------------------------------------------------------------- */

/* Noise [rows, images, dims], the row of timestep t being the last - t, or t - 1. */
typedef struct GoldenNoise {
    float *eps;
    int64_t *t; /* [rows]; NULL: row r is timestep r + 1 */
    int64_t rows, images;
    size_t dims;
} GoldenNoise;

static bool golden_noise(void *context, int t, int first, int count, float *eps, Error *error)
{
    const GoldenNoise *noise = context;
    int64_t row = t - 1;
    for (int64_t r = 0; noise->t && r < noise->rows; r++)
        if (noise->t[r] == t)
            row = r;
    (void)error;
    memcpy(eps, noise->eps + ((size_t)row * (size_t)noise->images + (size_t)first) * noise->dims,
           (size_t)count * noise->dims * sizeof *eps);
    return true;
}

/* What lies at `group` of an expected file: images, their noise. */
typedef struct GoldenCase {
    GoldenNetwork net;
    Predictor predictor;
    GoldenNoise noise;
    float *x_0;
    BoundTask task;
} GoldenCase;

static void golden_case_make(GoldenCase *c, const char *checkpoint, const char *expected,
                             const char *images, const char *eps, const char *t)
{
    int64_t shape[GOLDEN_MAX_RANK];
    int rank;
    c->noise = (GoldenNoise){.eps = golden_floats(expected, eps, &rank, shape)};
    ck_assert_int_eq(rank, 5);
    c->noise.t = t ? golden_ints(expected, t, NULL, NULL) : NULL;
    c->noise.rows = shape[0];
    c->noise.images = shape[1];
    c->noise.dims = (size_t)(shape[2] * shape[3] * shape[4]);
    golden_to_nhwc(c->noise.eps, (size_t)(shape[0] * shape[1]), (size_t)shape[2], (size_t)shape[3],
                   (size_t)shape[4]);
    const size_t count = (size_t)shape[1] * c->noise.dims;
    double *pixels = golden_doubles(expected, images, NULL, NULL);
    c->x_0 = memory_small(count, sizeof *c->x_0);
    for (size_t i = 0; i < count; i++) /* uint8 are pictures, NHWC already */
        c->x_0[i] = (float)(2 * pixels[i] / 255 - 1);
    free(pixels);
    golden_network_make(&c->net, checkpoint, 2);
    c->predictor = golden_predictor(&c->net);
    c->task = (BoundTask){
        .images = (int)shape[1], .x_0 = c->x_0, .noise = golden_noise, .noise_context = &c->noise};
}

static void golden_case_free(GoldenCase *c)
{
    golden_network_free(&c->net);
    free(c->noise.eps);
    free(c->noise.t);
    memory_free(c->x_0);
}

/* All variances of a file in one sweep, K = 10. */
static void check_terms(const char *checkpoint, const char *expected, const Variance *const *kinds,
                        int count)
{
    enum { STEPS = 10 };
    GoldenCase c;
    Error error = {0};
    Bound *bound = NULL;
    int timesteps[STEPS + 1];
    BoundCell cells[VARIANCE_COUNT];
    golden_case_make(&c, checkpoint, expected, "nll/x0", "nll/beta/eps", "nll/beta/eps_t");
    const int total = c.net.schedule.timesteps;
    must(trajectory_make(TRAJECTORY_LINEAR, total, STEPS, timesteps, &error), &error);
    for (int v = 0; v < count; v++)
        cells[v] = (BoundCell){.variance = v, .steps = STEPS, .timesteps = timesteps};
    c.task.variances = kinds;
    c.task.cells = cells;
    c.task.variance_count = c.task.cell_count = count;
    must(bound_make(&bound, &c.predictor, &c.task, &error), &error);
    ck_assert_int_eq(bound_needed(bound, total), STEPS);
    sweep(bound, total);
    for (int v = 0; v < count; v++) {
        const char *name = kinds[v]->name;
        const double *terms = bound_sums(bound)->terms + (size_t)v * ((size_t)total + 1);
        char path[128];
        snprintf(path, sizeof path, "nll/%s/terms_bits_per_dim_each", name);
        double *each = golden_doubles(expected, path, NULL, NULL);
        for (int k = 0; k <= STEPS; k++) { /* the prior comes last, and is our entry 0 */
            double got = terms[k == STEPS ? 0 : timesteps[k + 1]], want = 0;
            for (int i = 0; i < c.task.images; i++)
                want += each[i * (STEPS + 1) + k] / c.task.images;
            ck_assert_msg(fabs(got - want) <= 1e-4 * fabs(want) + 1e-6,
                          "%s %s: term %d is %.9g, expected %.9g", checkpoint, name, k, got, want);
        }
        for (int i = 0; i < c.task.images; i++) {
            double got = bound_sums(bound)->bits[v * c.task.images + i], want = 0;
            for (int k = 0; k <= STEPS; k++)
                want += each[i * (STEPS + 1) + k];
            ck_assert_double_eq_tol(got, want, 1e-4 * want);
        }
        snprintf(path, sizeof path, "nll/%s/bits_per_dim", name);
        double standard_error, mean = bound_mean(bound, v, &standard_error);
        const double want = golden_scalar(expected, path);
        ck_assert_double_eq_tol(mean, want, 1e-4 * want);
        free(each);
    }
    bound_free(bound);
    golden_case_free(&c);
}

START_TEST(terms_are_golden)
{
    const Variance *const kinds[] = {&variance_beta, &variance_beta_tilde, &variance_npr,
                                     &variance_sn, &variance_analytic};
    check_terms(golden_b, expected_b, kinds, 5);
    check_terms(golden_a, expected_a, kinds, 4); /* this file has no /analytic */
}
END_TEST

/* The cost of each of the 20,100 steps, and the best paths through them. */
START_TEST(tables_are_golden)
{
    GoldenCase c;
    Error error = {0};
    Bound *bound = NULL;
    const Variance *const kind = &variance_sn;
    golden_case_make(&c, golden_b, expected_b, "nll_table/x0", "nll_table/eps", NULL);
    c.task.variances = &kind;
    c.task.variance_count = 1;
    c.task.tables = true;
    must(bound_make(&bound, &c.predictor, &c.task, &error), &error);
    const int total = c.net.schedule.timesteps;
    const size_t row = (size_t)total + 1;
    ck_assert_int_eq(bound_needed(bound, total), total);
    sweep(bound, total);

    const double *got = bound_sums(bound)->tables;
    double *want = golden_doubles(expected_b, "nll_table/F", NULL, NULL);
    for (size_t s = 0; s < row; s++) {
        /* A head in float32 is off by some 1e-7, which is much where its c is nearly 0: what 1e-4 is
         * relative to is the largest of the steps to s, as the golden files' own rule has it. */
        double largest = 0;
        for (size_t t = s + 1; t < row; t++)
            largest = larger(largest, want[s * row + t]);
        for (size_t t = 0; t < row; t++)
            if (s >= t)
                ck_assert(isinf(got[s * row + t]));
            else
                ck_assert_msg(fabs(got[s * row + t] - want[s * row + t]) <= 1e-4 * largest,
                              "%zu -> %zu: %.9g, expected %.9g", t, s, got[s * row + t],
                              want[s * row + t]);
    }
    ck_assert_double_eq_tol(bound_prior(bound), golden_scalar(expected_b, "nll_table/prior"), 1e-7);
    const int steps[] = {5, 10, 25};
    for (int k = 0; k < 3; k++) {
        char path[64];
        int timesteps[26];
        snprintf(path, sizeof path, "nll_table/path_%d", steps[k]);
        int64_t *best = golden_ints(expected_b, path, NULL, NULL);
        must(best_path(got, total, steps[k], timesteps, &error), &error);
        for (int i = 1; i <= steps[k]; i++)
            ck_assert_int_eq(timesteps[i], best[i - 1]);
        free(best);
    }
    free(want);
    bound_free(bound);
    golden_case_free(&c);
}
END_TEST

START_TEST(best_paths_are_golden)
{
    static const char file[] = "tests/golden/schedules.h5";
    double *table = golden_doubles(file, "dp/F", NULL, NULL);
    const int members = golden_members(file, "dp");
    int checked = 0;
    for (int i = 0; i < members; i++) {
        char *name = golden_member(file, "dp", i), path[64];
        int steps, timesteps[31];
        Error error = {0};
        if (sscanf(name, "path_%d", &steps) == 1) {
            snprintf(path, sizeof path, "dp/%s", name);
            int64_t *want = golden_ints(file, path, NULL, NULL);
            must(best_path(table, 30, steps, timesteps, &error), &error);
            ck_assert_int_eq(timesteps[0], 0);
            for (int k = 1; k <= steps; k++)
                ck_assert_int_eq(timesteps[k], want[k - 1]);
            free(want);
            checked++;
        }
        free(name);
    }
    ck_assert_int_ge(checked, 3);
    free(table);
}
END_TEST

/* Equal costs everywhere: the lowest step from the top. */
START_TEST(the_first_of_equal_paths)
{
    double table[6 * 6];
    int timesteps[4];
    Error error = {0};
    for (int i = 0; i < 36; i++)
        table[i] = 1;
    must(best_path(table, 5, 3, timesteps, &error), &error);
    const int want[] = {0, 1, 2, 5};
    for (int k = 0; k < 4; k++)
        ck_assert_int_eq(timesteps[k], want[k]);
    const double impossible[] = {INFINITY, NAN}; /* no way at all is still a path */
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 36; i++)
            table[i] = impossible[k];
        must(best_path(table, 5, 3, timesteps, &error), &error);
        ck_assert(timesteps[0] == 0 && timesteps[3] == 5);
        for (int i = 0; i < 3; i++)
            ck_assert_int_lt(timesteps[i], timesteps[i + 1]);
    }
}
END_TEST

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

enum { ORACLE_SN, ORACLE_NPR };

static bool oracle_predict(void *context, const float *x_t, const int *t, int count,
                           const Prediction *prediction, Error *error)
{
    const Oracle *o = context;
    const size_t dims = o->mixture.dims;
    (void)error;
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
        }
        memory_free(x);
    }
    return true;
}

static Predictor oracle_predictor(Oracle *o)
{
    return (Predictor){.network = o,
                       .predict = oracle_predict,
                       .heads = {[ORACLE_SN] = "sn", [ORACLE_NPR] = "npr"},
                       .batch = 64,
                       .source = {.schedule = &o->schedule,
                                  .dims = o->mixture.dims,
                                  .ms_eps = o->ms_eps,
                                  .ms_eps_diag = o->ms_eps_diag,
                                  .mixture = &o->mixture,
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

    BoundCell *cells = memory_small((size_t)count * VARIANCE_COUNT, sizeof *cells);
    for (int v = 0; v < VARIANCE_COUNT; v++)
        for (int c = 0; c < count; c++)
            cells[v * count + c] = (BoundCell){.variance = v,
                                               .trajectory = TRAJECTORY_DP,
                                               .steps = steps,
                                               .timesteps = timesteps[c]};
    Error error = {0};
    Bound *bound = NULL;
    const BoundTask task = {.variances = variance_table,
                            .variance_count = VARIANCE_COUNT,
                            .cells = cells,
                            .cell_count = count * VARIANCE_COUNT,
                            .tables = true,
                            .images = o->images,
                            .x_0 = o->x_0,
                            .seed = 3};
    must(bound_make(&bound, predictor, &task, &error), &error);
    sweep(bound, FEW);
    const size_t row = FEW + 1;
    for (int v = 0; v < VARIANCE_COUNT; v++) {
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
                      variance_table[v]->name, steps, path, least);
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
    for (int v = 0; v < VARIANCE_COUNT; v++)
        s->cells[v] = (BoundCell){.variance = v, .steps = K, .timesteps = s->timesteps};
    s->task = (BoundTask){.variances = variance_table,
                          .variance_count = VARIANCE_COUNT,
                          .cells = s->cells,
                          .cell_count = VARIANCE_COUNT,
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
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (variance_table[v] == kind)
            return bound_mean(s->bound, v, &error);
    return NAN;
}

static double calibration_of(const Truth *s, const Variance *kind, int t, double *error)
{
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (variance_table[v] == kind) {
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
    for (int v = 0; v < VARIANCE_COUNT; v++)
        ck_assert_msg(bits_of(&s, variance_table[v]) > exact - 1e-4, "%s beats the exact variance",
                      variance_table[v]->name);
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
        while (variance_table[truth] != &variance_true)
            truth++;
        const double of_exact = ratio[truth * (TIMESTEPS + 1)];
        for (int v = 0; v < VARIANCE_COUNT; v++)
            if (!variance_is_fixed(variance_table[v]) && s.timesteps[k] > 1)
                ck_assert_msg(fabs(ratio[v * (TIMESTEPS + 1)] / of_exact - 1) < 0.05,
                              "t = %d: Cov of %s is %g times the exact one on the whole",
                              s.timesteps[k], variance_table[v]->name,
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
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        double error;
        fprintf(stderr, "%-14s %9.4f", variance_table[v]->name, bits_of(s, variance_table[v]));
        for (int k = 1; k <= K; k += 2)
            fprintf(stderr, "   %8.3f",
                    calibration_of(s, variance_table[v], s->timesteps[k], &error));
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
            double of_sn, of_npr;
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

SUITE_MAIN("bound", terms_are_golden, tables_are_golden, best_paths_are_golden,
           the_first_of_equal_paths, best_trajectories_are_those_of_brute_force,
           with_a_perfect_network_all_heads_are_exact,
           with_a_wrong_mean_npr_stays_calibrated_and_sn_does_not,
           a_variance_of_a_step_is_evaluated_for_each_cell, a_variance_of_a_step_has_no_tables)
