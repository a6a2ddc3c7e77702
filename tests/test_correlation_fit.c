/* Tests of the fit of correlations within blocks of pixels: it finds those of drawn residuals, and
 * none where there are none or too few images.
 */
#include "tests/block_case.h"

#include "stats/correlation.h"
#include "variance/correlation_fit.h"

#include <omp.h>

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

SUITE_MAIN("correlation_fit", the_fit_finds_the_correlations,
           independent_residuals_give_no_correlations, bins_without_images_have_no_correlations,
           threads_do_not_change_the_fit)
