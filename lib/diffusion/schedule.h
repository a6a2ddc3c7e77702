/* The noise schedule: how much of the data is left at each timestep.
 *
 * Timesteps run 0 .. N; 0 is the data, N is almost pure noise, and
 *     x_t = sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps,    eps ~ N(0, I)
 * with alpha_bar_t = alpha_1 .. alpha_t, alpha_i = 1 - beta_i, beta_bar_t = 1 - alpha_bar_t.
 *
 * All of it is in double, and what follows from the betas takes no differences of nearly equal
 * numbers: the logarithms of alpha_bar are summed and beta_bar comes from expm1. Written as
 * 1 - alpha_bar it would lose four digits at small t, and a skip coefficient as many again.
 */
#pragma once

#include "base/error.h"

typedef enum ScheduleKind {
    SCHEDULE_LINEAR, /* Ho et al. 2020: beta from 1e-4 to 0.02, both times 1000 / N */
    SCHEDULE_COSINE, /* Nichol and Dhariwal 2021: alpha_bar_t ~ cos^2, beta at most 0.999 */
} ScheduleKind;

enum { SCHEDULE_MAX_TIMESTEPS = 100000 };

typedef struct Schedule {
    ScheduleKind kind;
    int timesteps;         /* N */
    double *beta;          /* each array has N + 1 entries; beta[0] = 0 */
    double *log_alpha_bar; /* log_alpha_bar[0] = 0 */
    double *alpha_bar;     /* alpha_bar[0] = 1 */
    double *beta_bar;      /* beta_bar[0] = 0 */
} Schedule;

/* The fewest timesteps a kind can have: below 21 the linear schedule's beta_N would reach 1;
 * the likelihood's decoder needs timestep 2 of every schedule. */
int schedule_min_timesteps(ScheduleKind kind);

/* "linear", "cosine". */
const char *schedule_kind_name(ScheduleKind kind);

/* Fills `schedule`; fails on an impossible N (an input error) or for want of memory. After a
 * failure schedule_free is allowed, not needed. */
bool schedule_make(Schedule *schedule, ScheduleKind kind, int timesteps, Error *error);
void schedule_free(Schedule *schedule);

/* alpha_{t|s} = alpha_bar_t / alpha_bar_s and beta_{t|s} = 1 - alpha_{t|s}, 0 <= s <= t <= N:
 * x_t given x_s is N(sqrt(alpha_{t|s}) x_s, beta_{t|s} I). */
double schedule_skip_alpha(const Schedule *schedule, int s, int t);
double schedule_skip_beta(const Schedule *schedule, int s, int t);

/* beta_tilde_{s|t} = beta_{t|s} beta_bar_s / beta_bar_t, 0 <= s <= t, 1 <= t <= N: the variance
 * of x_s given x_t and x_0. */
double schedule_beta_tilde(const Schedule *schedule, int s, int t);

/* What the network is told for timestep t: 1000 t / N, not rounded. */
double schedule_model_time(const Schedule *schedule, int t);
