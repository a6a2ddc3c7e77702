/* The sums of an unfinished sweep, which the same sweep continues. */
#include "evaluation/sweep.h"
#include "fuzz/target.h"

#include <string.h>

enum { PIXELS = 16, STEPS = 2 };

static bool predict_nothing(void *network, const float *x_t, const int *t, int count,
                            const Prediction *prediction, Error *error)
{
    (void)network, (void)x_t, (void)t, (void)error;
    memset(prediction->eps, 0, (size_t)count * PIXELS * sizeof *prediction->eps);
    return true;
}

void fuzz_sweep(const uint8_t *bytes, size_t size)
{
    static const int timesteps[STEPS + 1] = {0, 1, FUZZ_TIMESTEPS};
    static const Variance *const kind = &variance_beta;
    static const float x_0[PIXELS];
    Error error = {0};
    Schedule schedule;
    Bound *bound = NULL;
    if (!schedule_make(&schedule, SCHEDULE_LINEAR, FUZZ_TIMESTEPS, &error))
        fuzz_broken("a schedule can be made");
    const BoundCell cell = {
        .trajectory = TRAJECTORY_LINEAR, .steps = STEPS, .timesteps = timesteps};
    const BoundTask task = {.variances = &kind,
                            .variance_count = 1,
                            .cells = &cell,
                            .cell_count = 1,
                            .images = 1,
                            .x_0 = x_0};
    const Predictor predictor = {
        .predict = predict_nothing, .batch = 1, .source = {.schedule = &schedule, .dims = PIXELS}};
    const SweepOptions options = {.what = "bound",
                                  .unfinished = fuzz_file("sweep.h5", bytes, size),
                                  .key = FUZZ_KEY,
                                  .quiet = true};
    if (!bound_make(&bound, &predictor, &task, &error))
        fuzz_broken("a bound can be made");
    if (!sweep_run(bound, &task, &schedule, &options, &error))
        fuzz_check_error(&error);
    bound_free(bound);
    schedule_free(&schedule);
}
