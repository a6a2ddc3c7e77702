/* Tests of the sweep that computes every bound, with the networks of the golden files. An independent
 * implementation has computed the same bounds from the same noise. (With exact answers:
 * test_bound_mixture.c.) */
#include "tests/suite.h"

#include "base/memory.h"
#include "diffusion/best_path.h"
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

SUITE_MAIN("bound", terms_are_golden, tables_are_golden, best_paths_are_golden,
           the_first_of_equal_paths)
