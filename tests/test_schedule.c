/* Tests of schedules, skip coefficients and trajectories against golden ones, which were computed
 * with more digits than a double has. */
#include "diffusion/prediction.h"
#include "diffusion/schedule.h"
#include "diffusion/trajectory.h"
#include "tests/golden.h"
#include "tests/suite.h"

#include <math.h>
#include <stdbool.h>

static const char *const file = "tests/golden/schedules.h5";

static const struct {
    ScheduleKind kind;
    int timesteps;
} cases[] = {
    {SCHEDULE_LINEAR, 1000},
    {SCHEDULE_LINEAR, 200},
    {SCHEDULE_COSINE, 1000},
    {SCHEDULE_COSINE, 200},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static Schedule make(ScheduleKind kind, int timesteps)
{
    Schedule schedule;
    Error error = {0};
    ck_assert_msg(schedule_make(&schedule, kind, timesteps, &error), "%s", error.message);
    return schedule;
}

/* The promise is 1e-12; but every digit that is lost was lost by a formula that can be bettered,
 * and 1e-13 tells 1 - alpha_bar from expm1. The cosine schedule's betas are 1 minus a ratio of
 * cosines, which another mathematical library may round otherwise, by 2^-52 at the most. */
static void check_close(const Schedule *schedule, double value, double expected, const char *what,
                        int index)
{
    double tolerance = schedule->kind == SCHEDULE_LINEAR ? 1e-13 * fabs(expected)
                                                         : 1e-12 * fabs(expected) + 0x1p-52;
    ck_assert_msg(fabs(value - expected) <= tolerance, "%s[%d]: %.17g, expected %.17g", what, index,
                  value, expected);
}

static void check_array(const Schedule *schedule, const char *name, const double *values)
{
    char path[64];
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    snprintf(path, sizeof path, "%s_%d/%s", schedule_kind_name(schedule->kind), schedule->timesteps,
             name);
    double *expected = golden_doubles(file, path, &rank, dims);
    ck_assert_uint_eq(golden_count(rank, dims), (size_t)schedule->timesteps + 1);
    for (int t = 0; t <= schedule->timesteps; t++)
        check_close(schedule, values[t], expected[t], path, t);
    free(expected);
}

START_TEST(schedules_are_golden)
{
    for (int i = 0; i < CASES; i++) {
        Schedule schedule = make(cases[i].kind, cases[i].timesteps);
        check_array(&schedule, "betas", schedule.beta);
        check_array(&schedule, "cum_alphas", schedule.alpha_bar);
        check_array(&schedule, "cum_betas", schedule.beta_bar);
        schedule_free(&schedule);
    }
}
END_TEST

START_TEST(pairs_are_golden)
{
    for (int i = 0; i < CASES; i++) {
        Schedule schedule = make(cases[i].kind, cases[i].timesteps);
        char path[5][64];
        const char *const names[5] = {"s", "t", "skip_alpha", "skip_beta", "tilde_beta"};
        for (int j = 0; j < 5; j++)
            snprintf(path[j], sizeof path[j], "%s_%d/pairs/%s", schedule_kind_name(schedule.kind),
                     schedule.timesteps, names[j]);
        int rank;
        int64_t dims[GOLDEN_MAX_RANK];
        int64_t *s = golden_ints(file, path[0], &rank, dims);
        int64_t *t = golden_ints(file, path[1], NULL, NULL);
        double *alpha = golden_doubles(file, path[2], NULL, NULL);
        double *beta = golden_doubles(file, path[3], NULL, NULL);
        double *beta_tilde = golden_doubles(file, path[4], NULL, NULL);
        int count = (int)golden_count(rank, dims);
        ck_assert_int_eq(count, 32);
        for (int j = 0; j < count; j++) {
            int from = (int)s[j], to = (int)t[j];
            check_close(&schedule, schedule_skip_alpha(&schedule, from, to), alpha[j], path[2], j);
            check_close(&schedule, schedule_skip_beta(&schedule, from, to), beta[j], path[3], j);
            check_close(&schedule, schedule_beta_tilde(&schedule, from, to), beta_tilde[j], path[4],
                        j);
        }
        free(s);
        free(t);
        free(alpha);
        free(beta);
        free(beta_tilde);
        schedule_free(&schedule);
    }
}
END_TEST

/* What the golden pairs only sample: neighbours at every t, and pairs of equals. */
START_TEST(skips_agree_at_every_timestep)
{
    for (int i = 0; i < CASES; i++) {
        Schedule schedule = make(cases[i].kind, cases[i].timesteps);
        for (int t = 1; t <= schedule.timesteps; t++) {
            check_close(&schedule, schedule_skip_beta(&schedule, t - 1, t), schedule.beta[t],
                        "beta", t);
            check_close(&schedule, schedule_skip_beta(&schedule, 0, t), schedule.beta_bar[t],
                        "beta_bar", t);
            ck_assert(schedule_skip_beta(&schedule, t, t) == 0);
            ck_assert(schedule_beta_tilde(&schedule, t, t) == 0);
            ck_assert(schedule_skip_alpha(&schedule, t, t) == 1);
            ck_assert(schedule_beta_tilde(&schedule, 0, t) == 0);
        }
        schedule_free(&schedule);
    }
}
END_TEST

START_TEST(the_network_is_told_a_real_number)
{
    Schedule thousand = make(SCHEDULE_LINEAR, 1000), odd = make(SCHEDULE_COSINE, 300);
    ck_assert(schedule_model_time(&thousand, 1) == 1);
    ck_assert(schedule_model_time(&thousand, 777) == 777);
    ck_assert(schedule_model_time(&odd, 300) == 1000);
    ck_assert_double_eq_tol(schedule_model_time(&odd, 1), 10.0 / 3, 1e-15);
    schedule_free(&thousand);
    schedule_free(&odd);

    const char *const expected[] = {"tests/golden/golden_a_expected.h5",
                                    "tests/golden/golden_b_expected.h5"};
    for (int i = 0; i < 2; i++) {
        Schedule schedule = i == 0 ? make(SCHEDULE_LINEAR, 1000) : make(SCHEDULE_COSINE, 200);
        int64_t *t = golden_ints(expected[i], "predict/t", NULL, NULL);
        double *time = golden_doubles(expected[i], "predict/model_time", NULL, NULL);
        for (int j = 0; j < 5; j++)
            ck_assert(schedule_model_time(&schedule, (int)t[j]) == time[j]);
        free(t);
        free(time);
        schedule_free(&schedule);
    }
}
END_TEST

/* Any N from the least to the most: betas in (0, 1), alpha_bar falling, and no array past its
 * end (the last entries are read). */
START_TEST(any_number_of_timesteps_works)
{
    const int sizes[] = {2, 3, 20, 21, 22, 50, 4000, SCHEDULE_MAX_TIMESTEPS};
    for (int kind = SCHEDULE_LINEAR; kind <= SCHEDULE_COSINE; kind++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            if (sizes[i] < schedule_min_timesteps((ScheduleKind)kind))
                continue;
            Schedule schedule = make((ScheduleKind)kind, sizes[i]);
            bool fine = true; /* asserting once: Check writes to a pipe at every assertion */
            for (int t = 1; t <= sizes[i]; t++) {
                fine = fine && schedule.beta[t] > 0 && schedule.beta[t] < 1;
                fine = fine && schedule.alpha_bar[t] > 0;
                fine = fine && schedule.alpha_bar[t] < schedule.alpha_bar[t - 1];
                fine = fine && schedule.beta_bar[t] >= schedule.beta_bar[t - 1];
            }
            ck_assert_msg(fine, "%s, N = %d", schedule_kind_name((ScheduleKind)kind), sizes[i]);
            schedule_free(&schedule);
        }
    }
}
END_TEST

START_TEST(impossible_numbers_of_timesteps_are_refused)
{
    const int linear[] = {-5, 0, 1, 20, SCHEDULE_MAX_TIMESTEPS + 1};
    const int cosine[] = {-5, 0, 1, SCHEDULE_MAX_TIMESTEPS + 1};
    Schedule schedule;
    for (int i = 0; i < 5; i++) {
        Error error = {0};
        ck_assert(!schedule_make(&schedule, SCHEDULE_LINEAR, linear[i], &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        ck_assert_ptr_nonnull(strstr(error.message, "linear"));
    }
    for (int i = 0; i < 4; i++) {
        Error error = {0};
        ck_assert(!schedule_make(&schedule, SCHEDULE_COSINE, cosine[i], &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
    }
    schedule_free(&schedule); /* allowed after a failure */
}
END_TEST

/* -- Trajectories ----------------------------------------------------------------------------- */

/* Timesteps 0 .. t_K; the caller frees them. */
static int *trajectory(TrajectoryKind kind, int total, int steps)
{
    int *timesteps = malloc(((size_t)steps + 1) * sizeof *timesteps);
    Error error = {0};
    ck_assert_msg(trajectory_make(kind, total, steps, timesteps, &error), "%s", error.message);
    return timesteps;
}

START_TEST(trajectories_are_golden)
{
    const int steps[] = {5, 10, 25, 50, 100, 200};
    int total = (int)golden_attr_int(file, "trajectories", "N");
    for (int kind = TRAJECTORY_LINEAR; kind <= TRAJECTORY_QUAD; kind++) {
        for (int i = 0; i < 6; i++) {
            char path[64];
            snprintf(path, sizeof path, "trajectories/%s_%d", trajectory_name((TrajectoryKind)kind),
                     steps[i]);
            int64_t *expected = golden_ints(file, path, NULL, NULL);
            int *timesteps = trajectory((TrajectoryKind)kind, total, steps[i]);
            ck_assert_int_eq(timesteps[0], 0);
            for (int k = 1; k <= steps[i]; k++)
                ck_assert_msg(timesteps[k] == expected[k - 1], "%s: step %d is %d, expected %d",
                              path, k, timesteps[k], (int)expected[k - 1]);
            free(timesteps);
            free(expected);
        }
    }
}
END_TEST

/* Those that the golden samples took, N = 200 among them. */
START_TEST(trajectories_are_those_of_golden_samples)
{
    const char *const expected[] = {"tests/golden/golden_a_expected.h5",
                                    "tests/golden/golden_b_expected.h5"};
    for (int i = 0; i < 2; i++) {
        int cases_there = golden_members(expected[i], "sample");
        ck_assert_int_gt(cases_there, 8);
        for (int j = 0; j < cases_there; j++) {
            char group[128], path[160];
            char *name = golden_member(expected[i], "sample", j);
            snprintf(group, sizeof group, "sample/%s", name);
            snprintf(path, sizeof path, "%s/timesteps", group);
            char *kind_name = golden_attr_string(expected[i], group, "trajectory");
            int steps = (int)golden_attr_int(expected[i], group, "steps");
            int64_t *timesteps = golden_ints(expected[i], path, NULL, NULL);
            TrajectoryKind kind;
            Error error;
            ck_assert(trajectory_parse(kind_name, &kind, &error));
            int *ours = trajectory(kind, i == 0 ? 1000 : 200, steps);
            for (int k = 0; k <= steps; k++)
                ck_assert_int_eq(ours[k], timesteps[k]);
            free(ours);
            free(timesteps);
            free(kind_name);
            free(name);
        }
    }
}
END_TEST

/* Trap 2: halves go to the even neighbour. Trap 3: quad stops at 0.8 N + 1 and repeats. */
START_TEST(roundings_that_are_easily_got_wrong)
{
    const int five[] = {0, 1, 251, 500, 750, 1000};
    int *linear = trajectory(TRAJECTORY_LINEAR, 1000, 5);
    ck_assert_mem_eq(linear, five, sizeof five);
    free(linear);

    int *quad = trajectory(TRAJECTORY_QUAD, 1000, 200);
    int repeats = 0;
    for (int k = 2; k <= 200; k++)
        repeats += quad[k] == quad[k - 1];
    ck_assert_int_eq(repeats, 13);
    ck_assert_int_eq(quad[200], 801);
    free(quad);
}
END_TEST

/* Every K of every N: starts at 1, never falls, stays within N; linear ends at N with no
 * repeats, so that all K steps are real ones. */
START_TEST(any_number_of_steps_works)
{
    const int totals[] = {2, 3, 4, 7, 21, 100, 256, 1000};
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        int total = totals[i];
        for (int steps = 1; steps <= total; steps++) {
            int *linear = trajectory(TRAJECTORY_LINEAR, total, steps);
            int *quad = trajectory(TRAJECTORY_QUAD, total, steps);
            bool rising = true, never_falling = true;
            for (int k = 1; k <= steps; k++) {
                rising = rising && linear[k] > linear[k - 1];
                never_falling = never_falling && quad[k] >= quad[k - 1];
            }
            ck_assert_msg(rising && never_falling, "%d of %d", steps, total);
            ck_assert_int_ge(quad[1], 1);
            ck_assert_int_eq(linear[steps], total);
            ck_assert_int_le(quad[steps], total);
            if (steps > 1) {
                ck_assert_int_eq(linear[1], 1);
                ck_assert_int_eq(quad[1], 1);
            }
            free(linear);
            free(quad);
        }
    }
    int *all = trajectory(TRAJECTORY_LINEAR, 1000, 1000);
    for (int k = 0; k <= 1000; k++)
        ck_assert_int_eq(all[k], k);
    free(all);
    int *one = trajectory(TRAJECTORY_QUAD, 1000, 1);
    ck_assert_int_eq(one[1], 801);
    free(one);
}
END_TEST

START_TEST(impossible_trajectories_are_refused)
{
    int timesteps[2] = {-7, -7};
    for (int kind = TRAJECTORY_LINEAR; kind <= TRAJECTORY_QUAD; kind++) {
        const int steps[] = {-1, 0, 101, 1 << 30};
        for (int i = 0; i < 4; i++) {
            Error error = {0};
            ck_assert(!trajectory_make((TrajectoryKind)kind, 100, steps[i], timesteps, &error));
            ck_assert_int_eq(error.kind, ERROR_INPUT);
            ck_assert_ptr_nonnull(strstr(error.message, "1 to 100"));
        }
    }
    ck_assert_int_eq(timesteps[0], -7); /* not touched */
}
END_TEST

START_TEST(trajectories_have_names)
{
    TrajectoryKind kind;
    Error error = {0};
    ck_assert(trajectory_parse("linear", &kind, &error) && kind == TRAJECTORY_LINEAR);
    ck_assert(trajectory_parse("quad", &kind, &error) && kind == TRAJECTORY_QUAD);
    ck_assert(trajectory_parse("dp", &kind, &error) && kind == TRAJECTORY_DP);
    ck_assert(!trajectory_parse("Linear", &kind, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_ptr_nonnull(strstr(error.message, "\"Linear\""));
}
END_TEST

/* The formulas of diffusers: linspace(a, b, N), linspace(sqrt a, sqrt b, N)^2, and
 * sigmoid(linspace(-6, 6, N)) (b - a) + a. */
START_TEST(betas_of_diffusers_follow_their_formulas)
{
    enum { N = 7 };
    const double a = 1e-3, b = 0.4;
    const ScheduleKind kinds[] = {SCHEDULE_LINEAR, SCHEDULE_SCALED_LINEAR, SCHEDULE_SIGMOID};
    for (int k = 0; k < 3; k++) {
        const ScheduleOptions options = {
            .kind = kinds[k], .timesteps = N, .beta_start = a, .beta_end = b};
        Schedule schedule;
        Error error = {0};
        double alpha_bar = 1;
        ck_assert_msg(schedule_make_as(&schedule, &options, &error), "%s", error.message);
        for (int t = 1; t <= N; t++) {
            const double part = (t - 1) / (N - 1.0);
            const double root = sqrt(a) + part * (sqrt(b) - sqrt(a));
            const double expected[] = {a + part * (b - a), root * root,
                                       a + (b - a) / (1 + exp(6 - 12 * part))};
            alpha_bar *= 1 - expected[k];
            ck_assert_double_eq_tol(schedule.beta[t], expected[k], 1e-15);
            ck_assert_double_eq_tol(schedule.alpha_bar[t], alpha_bar, 1e-14);
        }
        schedule_free(&schedule);
    }
}
END_TEST

START_TEST(betas_outside_of_0_to_1_are_refused)
{
    const double wrong[] = {-0.1, 1, 2, NAN};
    for (int i = 0; i < 4; i++) {
        const ScheduleOptions first = {.timesteps = 100, .beta_start = wrong[i]};
        const ScheduleOptions last = {.timesteps = 100, .beta_end = wrong[i]};
        Schedule schedule;
        Error error = {0};
        ck_assert(!schedule_make_as(&schedule, &first, &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        ck_assert(!schedule_make_as(&schedule, &last, &error));
    }
}
END_TEST

START_TEST(betas_that_leave_nothing_of_the_data_are_refused)
{
    const ScheduleOptions options = {.timesteps = 1000, .beta_end = 0.9};
    Schedule schedule;
    Error error;
    assert_fails(schedule_make_as(&schedule, &options, &error),
                 "leave nothing of the data at timestep 1000: alpha_bar is below 2e-308");
}
END_TEST

START_TEST(a_network_is_told_the_time_of_its_program)
{
    const ModelTime kinds[] = {MODEL_TIME_T, MODEL_TIME_T_MINUS_1, MODEL_TIME_INDEX};
    const double expected[] = {7 * 0.25, 6 * 0.25, 6};
    for (int k = 0; k < 3; k++) {
        const ScheduleOptions options = {.timesteps = 4000, .time = kinds[k]};
        Schedule schedule;
        Error error = {0};
        ck_assert(schedule_make_as(&schedule, &options, &error));
        ck_assert_double_eq_tol(schedule_model_time(&schedule, 7), expected[k], 1e-15);
        schedule_free(&schedule);
    }
}
END_TEST

/* Of x_0 and eps the three outputs are made, and each gives eps again. */
START_TEST(every_prediction_gives_eps)
{
    enum { DIMS = 5, COUNT = 2 };
    const float x_0[DIMS] = {-1, -0.5f, 0, 0.25f, 1}, eps[DIMS] = {0.3f, -2, 1, 0, 0.7f};
    const int t[COUNT] = {3, 90};
    Schedule schedule = make(SCHEDULE_LINEAR, 100);
    for (int kind = PREDICTS_EPS; kind <= PREDICTS_X0; kind++) {
        float x_t[COUNT * DIMS], out[COUNT * DIMS], gradient[COUNT * DIMS];
        for (int i = 0; i < COUNT * DIMS; i++) {
            const double a = sqrt(schedule.alpha_bar[t[i / DIMS]]);
            const double b = sqrt(schedule.beta_bar[t[i / DIMS]]);
            const double noise = (double)eps[i % DIMS], data = (double)x_0[i % DIMS];
            x_t[i] = (float)(a * data + b * noise);
            out[i] = kind == PREDICTS_EPS ? eps[i % DIMS]
                     : kind == PREDICTS_V ? (float)(a * noise - b * data)
                                          : x_0[i % DIMS];
            gradient[i] = 1;
        }
        float moved[COUNT * DIMS];
        for (int i = 0; i < COUNT * DIMS; i++)
            moved[i] = out[i] + 0.5f;
        prediction_to_eps((Predicts)kind, &schedule, x_t, t, COUNT, DIMS, out);
        prediction_to_eps((Predicts)kind, &schedule, x_t, t, COUNT, DIMS, moved);
        prediction_gradient((Predicts)kind, &schedule, t, COUNT, DIMS, gradient);
        for (int i = 0; i < COUNT * DIMS; i++) {
            ck_assert_float_eq_tol(out[i], eps[i % DIMS], 1e-5f);
            ck_assert_float_eq_tol((moved[i] - out[i]) / 0.5f, gradient[i],
                                   1e-5f + 1e-5f * fabsf(gradient[i]));
        }
    }
    schedule_free(&schedule);
}
END_TEST

SUITE_MAIN("schedule", schedules_are_golden, pairs_are_golden, skips_agree_at_every_timestep,
           the_network_is_told_a_real_number, any_number_of_timesteps_works,
           impossible_numbers_of_timesteps_are_refused, trajectories_are_golden,
           trajectories_are_those_of_golden_samples, roundings_that_are_easily_got_wrong,
           any_number_of_steps_works, impossible_trajectories_are_refused, trajectories_have_names,
           betas_of_diffusers_follow_their_formulas, betas_outside_of_0_to_1_are_refused,
           betas_that_leave_nothing_of_the_data_are_refused,
           a_network_is_told_the_time_of_its_program, every_prediction_gives_eps)
