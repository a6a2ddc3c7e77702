/* The noise schedule: the parts of data and noise in x_t, for each timestep t.
 *
 * Timesteps run from 0 to N. x_0 is the data, x_N is almost pure noise, and
 *     x_t = sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps,    eps ~ N(0, I)
 * with alpha_bar_t = alpha_1 .. alpha_t, alpha_i = 1 - beta_i, beta_bar_t = 1 - alpha_bar_t.
 *
 * Everything is in double. log alpha_bar is a sum of logarithms, and beta_bar comes from expm1. As
 * 1 - alpha_bar, beta_bar would lose four digits at small t. beta_{t|s} comes from a difference of two
 * logarithms, and is exact to 5e-14 at N = 1000.
 */
#pragma once

#include "base/error.h"

typedef enum ScheduleKind {
    /* Ho et al. 2020: beta from 1e-4 to 0.02, both times 1000 / N. */
    SCHEDULE_LINEAR,
    /* Nichol and Dhariwal 2021: alpha_bar_t ~ cos^2, beta at most 0.999. diffusers calls it
     * squaredcos_cap_v2. */
    SCHEDULE_COSINE,
    /* The roots of beta rise linearly (diffusers). */
    SCHEDULE_SCALED_LINEAR,
    /* beta rises along a sigmoid from -6 to 6 (diffusers). */
    SCHEDULE_SIGMOID,
    /* The betas themselves are given. */
    SCHEDULE_BETAS,
} ScheduleKind;

/* The number that the network is told at timestep t. */
typedef enum ModelTime {
    /* 1000 t / N. */
    MODEL_TIME_T,
    /* 1000 (t - 1) / N, as most published networks. */
    MODEL_TIME_T_MINUS_1,
    /* t - 1, whatever N is. */
    MODEL_TIME_INDEX,
} ModelTime;

typedef struct ScheduleOptions {
    ScheduleKind kind;
    /* N */
    int timesteps;
    /* The first and the last beta; 0: 1e-4 and 0.02, for SCHEDULE_LINEAR times 1000 / N. The cosine
     * has none. */
    double beta_start, beta_end;
    /* [timesteps], for SCHEDULE_BETAS: beta_1 .. beta_N. Read while the schedule is made. */
    const double *betas;
    ModelTime time;
} ScheduleOptions;

enum { SCHEDULE_MAX_TIMESTEPS = 100000 };

/* Each array has N + 1 entries, for t = 0 .. N. The schedule owns them. */
typedef struct Schedule {
    ScheduleKind kind;
    /* N */
    int timesteps;
    ModelTime time;
    /* beta[0] = 0 */
    double *beta;
    /* log_alpha_bar[0] = 0 */
    double *log_alpha_bar;
    /* alpha_bar[0] = 1 */
    double *alpha_bar;
    /* beta_bar[0] = 0 */
    double *beta_bar;
} Schedule;

/* The smallest N of a kind. It is 21 for the linear schedule without betas: with fewer timesteps
 * beta_N would reach 1. It is 2 for the others: the likelihood's decoder needs timestep 2. */
int schedule_min_timesteps(ScheduleKind kind);

/* "linear", a constant string. */
const char *schedule_kind_name(ScheduleKind kind);

/* Fills `schedule`. An impossible N is an input error; it also fails for want of memory. The caller
 * frees the schedule with schedule_free. After a failure that is allowed, but not needed. */
bool schedule_make(Schedule *schedule, ScheduleKind kind, int timesteps, Error *error);

/* The same with all options. Betas that are given must lie between 0 and 1, those of `betas` above 0. */
bool schedule_make_as(Schedule *schedule, const ScheduleOptions *options, Error *error);
void schedule_free(Schedule *schedule);

/* alpha_{t|s} = alpha_bar_t / alpha_bar_s and beta_{t|s} = 1 - alpha_{t|s}, 0 <= s <= t <= N:
 * x_t given x_s is N(sqrt(alpha_{t|s}) x_s, beta_{t|s} I). */
double schedule_skip_alpha(const Schedule *schedule, int s, int t);
double schedule_skip_beta(const Schedule *schedule, int s, int t);

/* beta_tilde_{s|t} = beta_{t|s} beta_bar_s / beta_bar_t, 0 <= s <= t, 1 <= t <= N: the variance
 * of x_s given x_t and x_0. */
double schedule_beta_tilde(const Schedule *schedule, int s, int t);

/* The network's input for timestep t, not rounded: 1000 t / N, or another (ModelTime). */
double schedule_model_time(const Schedule *schedule, int t);
