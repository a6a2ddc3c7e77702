/* The betas of each kind, and the sums of their logarithms.
 *
 * log alpha_bar_t is the sum of log1p(-beta_i) for i <= t. Everything else follows from it:
 * beta_bar_t = -expm1(log alpha_bar_t), and beta_{t|s} = -expm1(log alpha_bar_t - log alpha_bar_s).
 */
#include "diffusion/schedule.h"

#include "base/memory.h"

#include <assert.h>
#include <float.h>
#include <math.h>

int schedule_min_timesteps(ScheduleKind kind)
{
    return kind == SCHEDULE_LINEAR ? 21 : 2;
}

const char *schedule_kind_name(ScheduleKind kind)
{
    static const char *const names[] = {"linear", "cosine", "scaled_linear", "sigmoid", "betas"};
    return names[kind];
}

/* Ho et al. 2020, section 4. The scale 1000 / N keeps alpha_bar_N nearly the same for every N. */
static double linear_beta(int t, int timesteps, double first, double last)
{
    return t == timesteps ? last : first + (t - 1) * ((last - first) / (timesteps - 1));
}

static double scaled_linear_beta(int t, int timesteps, double first, double last)
{
    const double root = linear_beta(t, timesteps, sqrt(first), sqrt(last));
    return root * root;
}

static double sigmoid_beta(int t, int timesteps, double first, double last)
{
    const double z = linear_beta(t, timesteps, -6, 6);
    return first + (last - first) / (1 + exp(-z));
}

/* Nichol and Dhariwal 2021, equation 17: alpha_bar_t = f(t) / f(0), f(t) = cos^2(a_t),
 * a_t = (t/N + 0.008) / 1.008 * pi/2. So beta_t = 1 - f(t) / f(t - 1). Returns f(t). */
static double cosine_part(int t, int timesteps)
{
    const double offset = 0.008;
    double root = cos(((double)t / timesteps + offset) / (1 + offset) * M_PI / 2);
    return root * root;
}

/* beta_t is a difference of nearly equal numbers, the only one here, and loses four digits at small
 * t. The formula stays as it is, because the published cosine schedules contain these rounding
 * errors, and our betas must equal theirs. */
static double cosine_beta(int t, int timesteps)
{
    const double largest = 0.999;
    return fmin(1 - cosine_part(t, timesteps) / cosine_part(t - 1, timesteps), largest);
}

static double beta_of(const ScheduleOptions *options, int t)
{
    const int timesteps = options->timesteps;
    const double scale = options->kind == SCHEDULE_LINEAR ? 1000.0 / timesteps : 1;
    const double first = options->beta_start > 0 ? options->beta_start : 1e-4 * scale;
    const double last = options->beta_end > 0 ? options->beta_end : 0.02 * scale;
    switch (options->kind) {
    case SCHEDULE_LINEAR:
        return linear_beta(t, timesteps, first, last);
    case SCHEDULE_SCALED_LINEAR:
        return scaled_linear_beta(t, timesteps, first, last);
    case SCHEDULE_SIGMOID:
        return sigmoid_beta(t, timesteps, first, last);
    case SCHEDULE_BETAS:
        return options->betas[t - 1];
    default:
        return cosine_beta(t, timesteps);
    }
}

static void fill(Schedule *schedule, const ScheduleOptions *options)
{
    schedule->alpha_bar[0] = 1;
    for (int t = 1; t <= schedule->timesteps; t++) {
        double beta = beta_of(options, t);
        double log_alpha_bar = schedule->log_alpha_bar[t - 1] + log1p(-beta);
        schedule->beta[t] = beta;
        schedule->log_alpha_bar[t] = log_alpha_bar;
        schedule->alpha_bar[t] = exp(log_alpha_bar);
        schedule->beta_bar[t] = -expm1(log_alpha_bar);
    }
}

bool schedule_make(Schedule *schedule, ScheduleKind kind, int timesteps, Error *error)
{
    const ScheduleOptions options = {.kind = kind, .timesteps = timesteps};
    return schedule_make_as(schedule, &options, error);
}

static bool check_betas(const ScheduleOptions *options, Error *error)
{
    for (int i = 0; options->kind == SCHEDULE_BETAS && i < options->timesteps; i++)
        if (!(options->betas[i] > 0 && options->betas[i] < 1))
            return error_input(error, "beta %d of the schedule is %g, expected it between 0 and 1",
                               i + 1, options->betas[i]);
    return true;
}

bool schedule_make_as(Schedule *schedule, const ScheduleOptions *options, Error *error)
{
    const ScheduleKind kind = options->kind;
    const int timesteps = options->timesteps;
    const int fewest = options->beta_end > 0 ? 2 : schedule_min_timesteps(kind);
    *schedule = (Schedule){.kind = kind, .timesteps = timesteps, .time = options->time};
    if (!(options->beta_start >= 0 && options->beta_start < 1 && options->beta_end >= 0 &&
          options->beta_end < 1))
        return error_input(error, "the betas of a schedule lie between 0 and 1, not at %g and %g",
                           options->beta_start, options->beta_end);
    if (timesteps < fewest || timesteps > SCHEDULE_MAX_TIMESTEPS)
        return error_input(error, "a %s schedule has from %d to %d timesteps, not %d",
                           schedule_kind_name(kind), fewest, SCHEDULE_MAX_TIMESTEPS, timesteps);
    assert(kind != SCHEDULE_BETAS || options->betas);
    if (!check_betas(options, error))
        return false;

    size_t entries = (size_t)timesteps + 1;
    double *arrays = memory_large(4 * entries, sizeof(double), "the noise schedule", error);
    if (!arrays)
        return false;
    schedule->beta = arrays;
    schedule->log_alpha_bar = arrays + entries;
    schedule->alpha_bar = arrays + 2 * entries;
    schedule->beta_bar = arrays + 3 * entries;
    fill(schedule, options);
    if (schedule->alpha_bar[timesteps] >= DBL_MIN)
        return true;
    schedule_free(schedule);
    return error_input(error,
                       "the betas of a schedule leave nothing of the data at timestep %d: "
                       "alpha_bar is below %.1g; expected smaller betas",
                       timesteps, DBL_MIN);
}

void schedule_free(Schedule *schedule)
{
    memory_free(schedule->beta); /* one allocation holds all four arrays */
    *schedule = (Schedule){0};
}

double schedule_skip_alpha(const Schedule *schedule, int s, int t)
{
    assert(0 <= s && s <= t && t <= schedule->timesteps);
    return exp(schedule->log_alpha_bar[t] - schedule->log_alpha_bar[s]);
}

double schedule_skip_beta(const Schedule *schedule, int s, int t)
{
    assert(0 <= s && s <= t && t <= schedule->timesteps);
    return -expm1(schedule->log_alpha_bar[t] - schedule->log_alpha_bar[s]);
}

double schedule_beta_tilde(const Schedule *schedule, int s, int t)
{
    assert(t >= 1);
    return schedule_skip_beta(schedule, s, t) * schedule->beta_bar[s] / schedule->beta_bar[t];
}

double schedule_model_time(const Schedule *schedule, int t)
{
    switch (schedule->time) {
    case MODEL_TIME_T_MINUS_1:
        return (t - 1) * 1000.0 / schedule->timesteps;
    case MODEL_TIME_INDEX:
        return t - 1;
    default:
        return t * 1000.0 / schedule->timesteps;
    }
}
