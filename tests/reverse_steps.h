/* What the tests of reverse steps and of variances share: a schedule, the options of a step without
 * the clip of x_0_hat, and the estimate of a variance.
 *
 *     use_schedule(SCHEDULE_LINEAR, 1000);
 *     ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_sn);
 *     cov_of(&variance_sn, 300, eps_hat, head, 0, true, 3, cov);
 */
#pragma once

#include "base/memory.h"
#include "diffusion/reverse.h"
#include "tests/suite.h"
#include "variance/estimate.h"

#include <math.h>

static Schedule schedule; /* of the test that runs; every test has a process of its own */

static inline void use_schedule(ScheduleKind kind, int timesteps)
{
    Error error = {0};
    schedule_free(&schedule);
    ck_assert_msg(schedule_make(&schedule, kind, timesteps, &error), "%s", error.message);
}

static inline ReverseOptions options_of(Sampler sampler, double eta, const Variance *variance)
{
    ReverseOptions options = reverse_defaults(sampler);
    options.eta = eta;
    options.variance = variance->step;
    options.clip_x0 = false;
    return options;
}

/* cov [count] := the estimate at t, clipped or not. ms_eps is for analytic; analytic_diag finds its constants in head. */
static inline void cov_of(const Variance *variance, int t, const float *eps_hat, const float *head,
                          double ms_eps, bool clip, size_t count, float *cov)
{
    const size_t entries = (size_t)schedule.timesteps + 1;
    double *constants = memory_small(entries, sizeof *constants);
    float *of_each = memory_small(entries * count, sizeof *of_each);
    constants[t] = ms_eps;
    if (head)
        memcpy(of_each + (size_t)t * count, head, count * sizeof *head);
    EstimateSource source = {.schedule = &schedule,
                             .dims = count,
                             .ms_eps = constants,
                             .ms_eps_diag = of_each,
                             .options = estimate_defaults()};
    source.options.clip = clip;
    estimate_cov_x0(&source, variance, t, NULL, eps_hat, head, cov);
    memory_free(constants);
    memory_free(of_each);
}

static inline void check_close(double value, double expected, double relative, const char *what)
{
    ck_assert_msg(fabs(value - expected) <= relative * fmax(fabs(value), fabs(expected)),
                  "%s: %.17g, expected %.17g", what, value, expected);
}
