/* Golden bounds with heads for nll in the loop (an independent implementation in float64): the terms
 * (/bound_block/heads/nll_...), and the costs and best paths of NPR and of nll (/dp).
 *
 * Not compared are the heads of fixed bases (/nll_block, /bound_block/heads/dct...): the program has
 * no such heads, since one head on the mean features of a block was behind pixels everywhere
 * (docs/correlations.md). The terms of given covariances in these bases (/bound_block/given) are in
 * test_golden_blocks.c.
 */
#include "tests/golden_features.h"

#include "diffusion/best_path.h"
#include "diffusion/likelihood.h"

static Error error; /* of the last call */

/* -- Bounds ----------------------------------------------------------------------------------- */

/* cov [dims]: exp(l) / SNR_t, becomes the golden V of the residual `first`. The program's is the same,
 * but at most 1/SNR_t. */
static void ck_estimate(const Features *f, const VarianceInput *input, float *cov)
{
    const double unit = 1 / features_snr(f, 1), most = 1 / features_snr(f, input->t);
    float *own = memory_small(f->net.dims, sizeof *own);
    variance_nll.cov(input, own);
    for (size_t k = 0; k < f->net.dims; k++) {
        cov[k] = (float)fmax(exp((double)input->head[k]) * most - unit, 0.1 * unit);
        ck_near(own[k], fmin(cov[k], most), 1e-6 * most, "V");
    }
    memory_free(own);
}

/* cov [dims] := V of image i of the batch that ran last, by a golden head. */
static void estimate(const Features *f, const GoldenFit *g, int kind, int i, int t, float *cov)
{
    const int bin = t > g->first[1], pixels = f->side * f->side;
    float *features = memory_small(value_count(f->basis), sizeof *features);
    float *head = memory_small(f->net.dims, sizeof *head);
    double *phi = memory_small((size_t)f->count, sizeof *phi);
    value_read(f->basis, features);
    for (int p = 0; p < pixels; p++) {
        features_row(f, features, i, p / f->side, p % f->side, phi);
        for (int c = 0; c < f->channels; c++) {
            const double *w = g->w + (size_t)(bin * f->channels + c) * (size_t)f->count;
            double l = 0;
            for (int j = 0; j < f->count; j++)
                l += w[j] * phi[j];
            head[p * f->channels + c] = (float)l;
            cov[p * f->channels + c] = (float)(exp(l) / features_snr(f, t));
        }
    }
    const VarianceInput input = {
        .schedule = &f->net.schedule, .t = t, .dims = f->net.dims, .head = head};
    if (kind == FIRST)
        ck_estimate(f, &input, cov);
    for (size_t k = 0; k < f->net.dims; k++)
        cov[k] = (float)variance_clipped(cov[k]);
    memory_free(features), memory_free(head), memory_free(phi);
}

/* One image at one timestep. */
typedef struct Point {
    double *x_0_hat, *off2;
    float *cov;
} Point;

static Point point_make(const Features *f)
{
    return (Point){.x_0_hat = memory_small(f->net.dims, sizeof(double)),
                   .off2 = memory_small(f->net.dims, sizeof(double)),
                   .cov = memory_small(f->net.dims, sizeof(float))};
}

static void point_free(const Point *p)
{
    memory_free(p->x_0_hat), memory_free(p->off2), memory_free(p->cov);
}

/* Runs the images of a batch, one or two, at t. */
static void run_both(const Features *f, const float *x_0, const float *eps, int t, float *x_t)
{
    const int both[2] = {t, t};
    for (size_t i = 0; i < (size_t)f->net.batch; i++)
        features_noised(f, x_0 + i * f->net.dims, eps + i * f->net.dims, t, x_t + i * f->net.dims);
    features_run(f, x_t, both);
}

static void mean_of(const Features *f, const float *x_0, const float *x_t, int i, int t,
                    const Point *point)
{
    const size_t at = (size_t)i * f->net.dims;
    const float *eps_hat = (const float *)value_data(f->net.unet.eps) + at;
    likelihood_mean(&f->net.schedule, t, true, x_0 + at, x_t + at, eps_hat, f->net.dims,
                    point->x_0_hat, point->off2);
}

static void ck_terms(const Features *f, int kind, int bins)
{
    enum { STEPS = 4 };
    char path[96];
    const GoldenFit g = golden_fit(f, kind, bins);
    const double unit = 1 / ((double)f->net.dims * log(2));
    snprintf(path, sizeof path, "bound_block/heads/nll_%s_bins_%d/terms_bits_per_dim_each",
             golden_kinds[kind], bins);
    double *want = golden_doubles(f->file, path, NULL, NULL);
    const double tolerance = golden_tolerance(f->file, path);
    int64_t *t = golden_ints(f->file, "bound_block/eps_t", NULL, NULL);
    int64_t *s = golden_ints(f->file, "bound_block/eps_s", NULL, NULL);
    float *x_0 = features_images(f, "bound_block/x0", 2),
          *eps = features_nhwc(f, "bound_block/eps", 2 * STEPS);
    float *x_t = memory_small(2 * f->net.dims, sizeof *x_t);
    const Point point = point_make(f);
    for (int j = 0; j < STEPS; j++) {
        run_both(f, x_0, eps + (size_t)(2 * j) * f->net.dims, (int)t[j], x_t);
        for (int i = 0; i < 2; i++) {
            mean_of(f, x_0, x_t, i, (int)t[j], &point);
            estimate(f, &g, kind, i, (int)t[j], point.cov);
            const double term =
                s[j] == 0
                    ? likelihood_decoder(likelihood_decoder_variance(&f->net.schedule),
                                         x_0 + (size_t)i * f->net.dims, point.x_0_hat, f->net.dims)
                    : likelihood_step(likelihood_kappa(&f->net.schedule, (int)s[j], (int)t[j]),
                                      point.off2, point.cov, INFINITY, f->net.dims);
            ck_near(term * unit, want[i * (STEPS + 1) + STEPS - 1 - j], tolerance, path);
        }
    }
    for (int i = 0; i < 2; i++)
        ck_near(likelihood_prior(&f->net.schedule, f->net.schedule.timesteps,
                                 x_0 + (size_t)i * f->net.dims, f->net.dims) *
                    unit,
                want[i * (STEPS + 1) + STEPS], tolerance, "the prior");
    point_free(&point);
    golden_fit_free(&g);
    free(want), free(t), free(s), memory_free(x_0), free(eps), memory_free(x_t);
}

START_TEST(bounds_with_the_heads_in_the_loop_are_golden)
{
    for (int name = 0; name < NAMES; name++) {
        Features *f = features_make(golden_names[name], 2);
        for (int kind = 0; kind < KINDS; kind++)
            for (int bins = 1; bins <= MOST_BINS; bins++)
                ck_terms(f, kind, bins);
        features_free(f);
    }
}
END_TEST

/* -- Best trajectories ------------------------------------------------------------------------ */

enum { GRID = 30, ROW = GRID + 1 };

/* The paths through the stored costs. */
static void ck_paths(const Features *f, const char *variance, const double *costs,
                     const int64_t *grid)
{
    static const int steps[] = {3, 5, 10};
    for (int k = 0; k < 3; k++) {
        char path[64];
        int found[ROW];
        double sum = 0;
        snprintf(path, sizeof path, "dp/%s/path_%d", variance, steps[k]);
        int64_t *want = golden_ints(f->file, path, NULL, NULL);
        assert_ok(best_path(costs, GRID, steps[k], found, &error));
        bool falls = want[0] > want[steps[k] - 1];
        for (int i = 1; i <= steps[k]; i++) {
            ck_assert_int_eq(grid[found[i]], want[falls ? steps[k] - i : i - 1]);
            sum += costs[found[i - 1] * ROW + found[i]];
        }
        snprintf(path, sizeof path, "dp/%s/cost_%d", variance, steps[k]);
        ck_near(sum, golden_scalar(f->file, path), 1e-6 * sum, path);
        free(want);
    }
}

/* costs [ROW, ROW] += those of one image at grid[j]. */
static void add_costs(const Features *f, const int64_t *grid, int j, const float *x_0,
                      const Point *p, double unit, double *costs)
{
    const Schedule *schedule = &f->net.schedule;
    const int t = (int)grid[j];
    const double decoder = likelihood_free_decoder_variance(schedule, t);
    costs[j] += unit * likelihood_decoder(decoder, x_0, p->x_0_hat, f->net.dims);
    for (int i = 1; i < j; i++)
        costs[i * ROW + j] += unit * likelihood_step(likelihood_kappa(schedule, (int)grid[i], t),
                                                     p->off2, p->cov, INFINITY, f->net.dims);
}

static void ck_dp(const Features *f, const char *variance, const GoldenFit *g)
{
    char path[64];
    const int count = f->net.batch;
    const double unit = 1 / (count * (double)f->net.dims * log(2));
    int64_t *grid = golden_ints(f->file, "dp/grid", NULL, NULL);
    float *x_0 = features_images(f, "dp/x0", count),
          *eps = features_nhwc(f, "dp/eps", count * GRID);
    float *x_t = memory_small((size_t)count * f->net.dims, sizeof *x_t);
    double *costs = memory_small(ROW * ROW, sizeof *costs);
    const Point p = point_make(f);
    for (int j = 1; j <= GRID; j++) {
        const int t = (int)grid[j];
        run_both(f, x_0, eps + (size_t)(count * (j - 1)) * f->net.dims, t, x_t);
        if (!g)
            assert_ok(graph_forward(f->net.head_graphs[1], 0, &error)); /* NPR */
        for (int i = 0; i < count; i++) {
            mean_of(f, x_0, x_t, i, t, &p);
            const float *head =
                (const float *)value_data(f->net.heads[1].out) + (size_t)i * f->net.dims;
            for (size_t k = 0; !g && k < f->net.dims; k++)
                p.cov[k] = (float)variance_clipped(head[k] / features_snr(f, t));
            if (g)
                estimate(f, g, RAW, i, t, p.cov);
            add_costs(f, grid, j, x_0 + (size_t)i * f->net.dims, &p, unit, costs);
        }
    }
    snprintf(path, sizeof path, "dp/%s/F", variance);
    double *want = golden_doubles(f->file, path, NULL, NULL);
    for (int i = 0; i < ROW; i++) {
        /* Of the largest step to the same s: entries with a V near 0 are of ill condition. */
        double largest = 0;
        for (int j = i + 1; j < ROW; j++)
            largest = larger(largest, fabs(want[i * ROW + j]));
        for (int j = i + 1; j < ROW; j++)
            ck_near(costs[i * ROW + j], want[i * ROW + j], 1e-4 * largest, path);
    }
    ck_paths(f, variance, want, grid);
    point_free(&p);
    free(grid), memory_free(x_0), free(eps), memory_free(x_t), memory_free(costs), free(want);
}

START_TEST(costs_and_best_paths_are_golden)
{
    for (int name = 0; name < NAMES; name++) {
        Features *f = features_make(golden_names[name], name == 0 ? 1 : 2);
        const GoldenFit g = golden_fit(f, RAW, 2);
        ck_dp(f, "npr", NULL);
        ck_dp(f, "nll", &g);
        golden_fit_free(&g);
        features_free(f);
    }
}
END_TEST

SUITE_MAIN("golden_nll_bounds", bounds_with_the_heads_in_the_loop_are_golden,
           costs_and_best_paths_are_golden)
