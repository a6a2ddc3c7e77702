/* Tests of the forward process and of the objectives: values computed by hand, finite differences,
 * and equal bits at any number of threads. Also tests of the table of objectives, and of lists of
 * objectives. */
#include "base/memory.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "tests/expect.h"
#include "tests/suite.h"
#include "variance/objective_list.h"

#include <math.h>
#include <omp.h>

enum { IMAGES = 7, DIMS = 45, COUNT = IMAGES * DIMS };

static Error error; /* of the last call */

/* A loss that is no square and reads all of its input: (1 - alpha_bar_t) sum exp(-y) |eps - eps_hat|. */
static double weighted_loss(const ObjectiveInput *in, const float *output, double *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < in->dims; i++) {
        const double residual = fabs((double)in->eps[i] - in->eps_hat[i]);
        const double term = in->schedule->beta_bar[in->t] * exp(-output[i]) * residual;
        sum += term;
        if (gradient)
            gradient[i] = -term;
    }
    return sum;
}

static const Objective weighted = {
    .name = "weighted", .help = "a toy", .source = "here", .seed_offset = 9, .loss = weighted_loss};

/* What the tests of losses go through: the table, and the toy. */
enum { KINDS = OBJECTIVE_COUNT + 1 };

static const Objective *kind(int k)
{
    return k < OBJECTIVE_COUNT ? objective_table[k] : &weighted;
}

static const int timesteps[IMAGES] = {1, 2, 500, 999, 1000, 37, 250};

static Schedule make_schedule(void)
{
    Schedule schedule;
    assert_ok(schedule_make(&schedule, SCHEDULE_LINEAR, 1000, &error));
    return schedule;
}

/* An image's element, in [-1, 1]. */
static float picture(size_t i)
{
    return (float)(i * 37 % 256) / 127.5f - 1;
}

/* The loss of `images` images of the first timesteps above. */
static double loss_mean(const Objective *objective, const float *eps, const float *eps_hat,
                        const float *output, size_t images, size_t dims, double *each,
                        float *gradient)
{
    Schedule schedule = make_schedule();
    float *x_0 = memory_small(images * dims, sizeof *x_0);
    for (size_t i = 0; i < images * dims; i++)
        x_0[i] = picture(i);
    const ObjectiveBatch batch = {.schedule = &schedule,
                                  .images = images,
                                  .dims = dims,
                                  .t = timesteps,
                                  .eps = eps,
                                  .eps_hat = eps_hat,
                                  .x_0 = x_0,
                                  .products = eps}; /* any numbers */
    const double loss = objective_loss(objective, &batch, output, each, gradient);
    memory_free(x_0);
    schedule_free(&schedule);
    return loss;
}

static void draw(uint32_t stream, float *values, size_t count)
{
    random_normal((RandomKey){.seed = 11, .purpose = RANDOM_NOISE, .step = stream}, values, count);
}

/* -- Losses ----------------------------------------------------------------------------------- */

/* Two images of two elements, numbers that are exact in binary. */
START_TEST(losses_by_hand)
{
    const float eps[4] = {1, -2, 0.5f, 0}, eps_hat[4] = {0.5f, -1, 1, 0.25f};
    const float head[4] = {1, 3, 0, 0.5f};
    double each[2];
    float gradient[4];

    /* (eps - eps_hat)^2: 0.25 + 1, 0.25 + 0.0625 */
    ck_assert(loss_mean(&objective_eps, eps, eps_hat, eps_hat, 2, 2, each, gradient) == 0.78125);
    ck_assert(each[0] == 1.25 && each[1] == 0.3125);
    const float eps_gradient[4] = {-0.5f, 1, 0.5f, 0.25f}; /* 2 (eps_hat - eps) / 2 */
    ck_assert_mem_eq(gradient, eps_gradient, sizeof gradient);

    /* head - eps^2: 0, -1, -0.25, 0.5 */
    ck_assert(loss_mean(&objective_sn, eps, eps_hat, head, 2, 2, each, gradient) == 0.65625);
    ck_assert(each[0] == 1 && each[1] == 0.3125);
    const float sn_gradient[4] = {0, -1, -0.25f, 0.5f};
    ck_assert_mem_eq(gradient, sn_gradient, sizeof gradient);

    /* head - (eps - eps_hat)^2: 0.75, 2, -0.25, 0.4375 */
    ck_assert(loss_mean(&objective_npr, eps, eps_hat, head, 2, 2, each, gradient) == 2.408203125);
    ck_assert(each[0] == 4.5625 && each[1] == 0.25390625);
    const float npr_gradient[4] = {0.75f, 2, -0.25f, 0.4375f};
    ck_assert_mem_eq(gradient, npr_gradient, sizeof gradient);
}
END_TEST

/* nll from x_t, as a sampler computes x_0_hat. */
START_TEST(nll_by_its_formula)
{
    float eps[COUNT], eps_hat[COUNT], output[COUNT];
    double each[IMAGES];
    draw(0, eps, COUNT);
    draw(1, eps_hat, COUNT);
    draw(2, output, COUNT);
    Schedule schedule = make_schedule();
    const double *alpha = schedule.alpha_bar, *beta = schedule.beta_bar;
    loss_mean(&objective_nll, eps, eps_hat, output, IMAGES, DIMS, each, NULL);
    for (int i = 0; i < IMAGES; i++) {
        const int t = timesteps[i];
        double expected = 0;
        for (int j = i * DIMS; j < (i + 1) * DIMS; j++) {
            const double x_0 = picture((size_t)j);
            const double x_t = sqrt(alpha[t]) * x_0 + sqrt(beta[t]) * eps[j];
            const double x_0_hat =
                fmin(1, fmax(-1, (x_t - sqrt(beta[t]) * eps_hat[j]) / sqrt(alpha[t])));
            const double r =
                alpha[t] / beta[t] * ((x_0 - x_0_hat) * (x_0 - x_0_hat) + beta[1] / alpha[1]);
            expected += output[j] + r * exp(-(double)output[j]);
        }
        ck_assert_double_eq_tol(each[i], expected, 1e-9 * fabs(expected));
    }
    schedule_free(&schedule);
}
END_TEST

/* What the gradient of element i has as a factor beside the slope: its weight over the mean of its
 * image's. */
static double weight_over_mean(const Objective *objective, const Schedule *schedule,
                               const float *output, int i)
{
    const int image = i / DIMS, t = timesteps[image];
    double sum = 0;
    if (!objective->weight)
        return 1;
    for (int j = image * DIMS; j < (image + 1) * DIMS; j++)
        sum += objective->weight(schedule, t, output[j]);
    return objective->weight(schedule, t, output[i]) * DIMS / sum;
}

/* Central differences are exact up to rounding where the loss is quadratic in the output. Elsewhere
 * their step is small. */
START_TEST(gradients_are_the_slopes)
{
    Schedule schedule = make_schedule();
    float eps[COUNT], eps_hat[COUNT], output[COUNT], gradient[COUNT];
    double each[IMAGES];
    draw(0, eps, COUNT);
    draw(1, eps_hat, COUNT);
    for (int k = 0; k < OBJECTIVE_COUNT; k++) {
        /* The output of eps is eps_hat itself: it is handed over in both places. */
        const float *prediction = kind(k) == &objective_eps ? output : eps_hat;
        draw(2, output, COUNT);
        loss_mean(kind(k), eps, prediction, output, IMAGES, DIMS, each, gradient);
        for (int i = 0; i < COUNT; i += 13) {
            float middle = output[i];
            const float step = objective_is_quadratic(kind(k)) ? 0.125f : 0x1p-10f;
            const float above = middle + step, below = middle - step;
            output[i] = above;
            double up = loss_mean(kind(k), eps, prediction, output, IMAGES, DIMS, each, NULL);
            output[i] = below;
            double down = loss_mean(kind(k), eps, prediction, output, IMAGES, DIMS, each, NULL);
            output[i] = middle;
            double slope = (up - down) / ((double)above - below);
            const double want = slope * weight_over_mean(kind(k), &schedule, output, i);
            ck_assert_double_eq_tol(gradient[i], want, 1e-6 * fmax(1, fabs(want)));
        }
    }
    schedule_free(&schedule);
}
END_TEST

START_TEST(the_target_has_no_loss)
{
    float eps[COUNT], eps_hat[COUNT], output[COUNT], gradient[COUNT];
    double each[IMAGES];
    draw(0, eps, COUNT);
    for (int i = 0; i < COUNT; i++) { /* multiples of 1/16: their squares are exact */
        eps[i] = roundf(16 * eps[i]) / 16;
        eps_hat[i] = eps[i] + 0.25f * (float)(i % 5);
    }
    for (int k = 0; k < OBJECTIVE_COUNT; k++) {
        if (!objective_is_quadratic(kind(k)) || kind(k)->reads_product)
            continue; /* the target of ocm has a root for a factor, and is rounded */
        const ObjectiveBatch batch = {
            .images = IMAGES, .dims = DIMS, .t = timesteps, .eps = eps, .eps_hat = eps_hat};
        objective_targets(kind(k), &batch, output);
        ck_assert(loss_mean(kind(k), eps, eps_hat, output, IMAGES, DIMS, each, gradient) == 0);
        for (int i = 0; i < COUNT; i++)
            ck_assert(gradient[i] == 0);
    }
}
END_TEST

/* Solved heads get targets in single precision: the nearest numbers, which squares of floats are not. */
START_TEST(targets_are_rounded_once)
{
    const float eps[2] = {1 + 0x1p-20f, 3}, eps_hat[2] = {0, 1.5f};
    const ObjectiveBatch batch = {
        .images = 1, .dims = 2, .t = timesteps, .eps = eps, .eps_hat = eps_hat};
    float y[2];
    objective_targets(&objective_sn, &batch, y);
    ck_assert(y[0] == 1 + 0x1p-19f && y[1] == 9);
    objective_targets(&objective_npr, &batch, y);
    ck_assert(y[0] == 1 + 0x1p-19f && y[1] == 2.25f);
    /* The loss takes them unrounded. */
    double each[1];
    ck_assert(loss_mean(&objective_sn, eps, NULL, (float[]){y[0], 9}, 1, 2, each, NULL) == 0x1p-80);
}
END_TEST

/* An objective that is no square gives its own loss and gradient, image by image. */
START_TEST(other_losses_see_the_timestep_and_the_schedule)
{
    float eps[COUNT], eps_hat[COUNT], output[COUNT], gradient[COUNT];
    double each[IMAGES], sum = 0;
    draw(0, eps, COUNT);
    draw(1, eps_hat, COUNT);
    draw(2, output, COUNT);
    Schedule schedule = make_schedule();
    const double loss = loss_mean(&weighted, eps, eps_hat, output, IMAGES, DIMS, each, gradient);
    for (int i = 0; i < IMAGES; i++) {
        double expected = 0;
        for (int j = i * DIMS; j < (i + 1) * DIMS; j++) {
            const double term = schedule.beta_bar[timesteps[i]] * exp(-output[j]) *
                                fabs((double)eps[j] - eps_hat[j]);
            expected += term;
            ck_assert_double_eq_tol(gradient[j], -term / IMAGES, 1e-6 * term);
        }
        ck_assert_double_eq_tol(each[i], expected, 1e-12 * expected);
        sum += expected;
    }
    ck_assert_double_eq_tol(loss, sum / IMAGES, 1e-12 * sum);
    schedule_free(&schedule);
}
END_TEST

/* The sum over the linear trajectories of 10 to 100 steps of twice the KL at t, each as often as a
 * trajectory visits t, in the steps' own way (diffusion/likelihood.h). */
static double steps_kl(const Schedule *schedule, int t, double off2, double v)
{
    static const int steps[] = {10, 25, 50, 100};
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        const double gap = 999.0 / (steps[k] - 1);
        const int s = t - gap < 1 ? 1 : (int)rint(t - gap);
        if (t >= 1 + gap / 2)
            sum += 2 / gap * likelihood_step_scalar(likelihood_kappa(schedule, s, t), off2, v, 1);
    }
    return sum;
}

static double weight_of(const Schedule *schedule, int t, double v)
{
    const double unit = schedule->beta_bar[1] / schedule->alpha_bar[1];
    const double snr = schedule->alpha_bar[t] / schedule->beta_bar[t];
    return objective_nll.weight(schedule, t, log(snr * (v + unit)));
}

/* The weight turns the slope of l + r exp(-l) into the slope of the summed KL, up to the constant
 * 0.001. V of a step is at most 1/SNR_t, and the weight is then that of this V. */
START_TEST(the_weight_of_nll_makes_slopes_of_bounds)
{
    Schedule schedule = make_schedule();
    const double unit = schedule.beta_bar[1] / schedule.alpha_bar[1];
    const int t_list[] = {2, 3, 9, 40, 150, 700, 1000};
    for (int i = 0; i < 7; i++) {
        const int t = t_list[i];
        const double snr = schedule.alpha_bar[t] / schedule.beta_bar[t];
        for (double v = unit; v < fmin(1, 1 / snr); v *= 7) {
            const double l = log(snr * (v + unit)), off = 0.03, h = 1e-5;
            const double r = objective_nll.ratio(&schedule, t, off);
            const double up = steps_kl(&schedule, t, off * off, (v + unit) * exp(h) - unit);
            const double down = steps_kl(&schedule, t, off * off, (v + unit) * exp(-h) - unit);
            const double want = (up - down) / (2 * h);
            const double got = (weight_of(&schedule, t, v) - 0.001) * (1 - r * exp(-l));
            ck_assert_msg(fabs(got - want) <= 1e-5 * fabs(want) + 1e-8,
                          "t = %d, V = %g: %g, not %g", t, v, got, want);
        }
        const double most = weight_of(&schedule, t, 1 / snr);
        ck_assert_double_eq_tol(weight_of(&schedule, t, 3 / snr), most, 1e-12);
    }
    ck_assert_double_eq_tol(weight_of(&schedule, 1, unit), 0.001, 1e-12); /* no step goes from 1 */
    schedule_free(&schedule);
}
END_TEST

/* What each loss may read: SN not eps_hat, and nobody a gradient that is not there. */
START_TEST(what_may_be_null)
{
    float eps[COUNT], eps_hat[COUNT], output[COUNT], gradient[COUNT], other[COUNT];
    double each[IMAGES];
    draw(0, eps, COUNT);
    draw(1, eps_hat, COUNT);
    draw(2, output, COUNT);
    for (int k = 0; k < KINDS; k++) {
        double with = loss_mean(kind(k), eps, eps_hat, output, IMAGES, DIMS, each, gradient);
        double without = loss_mean(kind(k), eps, eps_hat, output, IMAGES, DIMS, each, NULL);
        ck_assert(with == without);
    }
    double with = loss_mean(&objective_sn, eps, eps_hat, output, IMAGES, DIMS, each, gradient);
    double without = loss_mean(&objective_sn, eps, NULL, output, IMAGES, DIMS, each, other);
    ck_assert(with == without);
    ck_assert_mem_eq(gradient, other, sizeof gradient);
}
END_TEST

START_TEST(losses_at_any_number_of_threads)
{
    float eps[COUNT], eps_hat[COUNT], output[COUNT], first[COUNT], gradient[COUNT];
    double each[IMAGES], each_first[IMAGES];
    draw(0, eps, COUNT);
    draw(1, eps_hat, COUNT);
    draw(2, output, COUNT);
    for (int k = 0; k < KINDS; k++) {
        omp_set_num_threads(1);
        double loss = loss_mean(kind(k), eps, eps_hat, output, IMAGES, DIMS, each_first, first);
        for (int threads = 2; threads <= 5; threads++) {
            omp_set_num_threads(threads);
            ck_assert(loss_mean(kind(k), eps, eps_hat, output, IMAGES, DIMS, each, gradient) ==
                      loss);
            ck_assert_mem_eq(gradient, first, sizeof first);
            ck_assert_mem_eq(each, each_first, sizeof each);
        }
    }
}
END_TEST

/* Many small terms beside a large one: a float32 sum would lose all of them. */
START_TEST(losses_are_summed_in_double)
{
    enum { MANY = 20000 };
    static float zeros[MANY], output[MANY];
    double each[1];
    for (int i = 0; i < MANY; i++)
        output[i] = 0x1p-13f;
    output[0] = 64;
    double loss = loss_mean(&objective_eps, zeros, output, output, 1, MANY, each, NULL);
    ck_assert(loss == 4096 + (MANY - 1) * 0x1p-26);
}
END_TEST

/* -- The table -------------------------------------------------------------------------------- */

START_TEST(the_table_is_sorted_and_complete)
{
    for (int k = 0; k < OBJECTIVE_COUNT; k++) {
        const Objective *o = objective_table[k];
        ck_assert(k == 0 || strcmp(objective_table[k - 1]->name, o->name) < 0);
        ck_assert_uint_lt(strlen(o->name), OBJECTIVE_NAME_SIZE);
        ck_assert_uint_eq(strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                          strlen(o->name));
        ck_assert(o->name[0] != '\0' && o->help[0] != '\0' && o->source[0] != '\0');
        ck_assert_msg((o->target != NULL) + (o->ratio != NULL) + (o->loss != NULL) == 1,
                      "%s: one of target, ratio and loss", o->name);
    }
}
END_TEST

/* The numbers themselves too: another one would give a seed another run. */
START_TEST(every_head_has_first_weights_of_its_own)
{
    for (int k = 0; k < OBJECTIVE_COUNT; k++)
        for (int l = 0; l < k; l++)
            ck_assert(!objective_trains_head(kind(k)) ||
                      kind(k)->seed_offset != kind(l)->seed_offset);
    ck_assert(!objective_trains_head(&objective_eps));
    ck_assert_uint_eq(objective_sn.seed_offset, 2);
    ck_assert_uint_eq(objective_npr.seed_offset, 3);
}
END_TEST

/* -- Lists ------------------------------------------------------------------------------------ */

enum { MAX = 3 };

static const Objective toys[] = {{.name = "apple", .seed_offset = 4},
                                 {.name = "fig", .seed_offset = 5},
                                 {.name = "mean"},
                                 {.name = "pear", .seed_offset = 6},
                                 {.name = "plum", .seed_offset = 7}};
static const Objective *const toy_table[] = {&toys[0], &toys[1], &toys[2], &toys[3], &toys[4]};

static bool read_toys(const char *text, const Objective **chosen, int *count)
{
    return objective_list_read(toy_table, 5, text, chosen, MAX, count, &error);
}

START_TEST(lists_are_read_in_any_order_and_sorted)
{
    static const char *const lists[] = {"apple,fig,plum", "apple,plum,fig", "fig,apple,plum",
                                        "fig,plum,apple", "plum,apple,fig", "plum,fig,apple"};
    const Objective *chosen[MAX];
    int count;
    for (int i = 0; i < 6; i++) {
        assert_ok(read_toys(lists[i], chosen, &count));
        ck_assert_int_eq(count, 3);
        char *joined = objective_list_join(chosen, count, "+");
        ck_assert_str_eq(joined, "apple+fig+plum");
        memory_free(joined);
    }
    assert_ok(read_toys("pear", chosen, &count));
    char *joined = objective_list_join(chosen, count, "+");
    ck_assert_str_eq(joined, "pear");
    memory_free(joined);
}
END_TEST

START_TEST(wrong_lists_are_told_what_is_right)
{
    static const char *const unknown[] = {"grape", "fig,grape", "fig,",      ",fig", "",
                                          "FIG",   "fig plum",  "fig,,plum", "mean"};
    const Objective *chosen[MAX];
    int count;
    for (int i = 0; i < 9; i++)
        assert_fails(
            read_toys(unknown[i], chosen, &count),
            "--loss: expected apple, fig, pear or plum, or several with commas between, got "
            "\"");
    assert_fails(read_toys("mean", chosen, &count), "got \"mean\"");
    assert_fails(read_toys("fig,plum,fig", chosen, &count), "--loss: fig is given twice");
    assert_fails(read_toys("fig,plum,apple,pear", chosen, &count),
                 "--loss: expected at most 3 losses");
}
END_TEST

START_TEST(choices_are_a_sentence)
{
    static const char *const sentences[] = {"",
                                            "apple",
                                            "apple or fig",
                                            "apple or fig",
                                            "apple, fig or pear",
                                            "apple, fig, pear or plum"};
    for (int size = 0; size <= 5; size++) {
        char *choices = objective_list_choices(toy_table, size);
        ck_assert_str_eq(choices, sentences[size]);
        memory_free(choices);
    }
}
END_TEST

/* -- The forward process ---------------------------------------------------------------------- */

START_TEST(noising_by_the_formula)
{
    Schedule schedule = make_schedule();
    const int t[IMAGES] = {0, 1, 2, 500, 999, 1000, 37};
    float x_0[COUNT], eps[COUNT], x_t[COUNT];
    draw(0, x_0, COUNT);
    draw(1, eps, COUNT);
    forward_noise(&schedule, t, x_0, eps, IMAGES, DIMS, x_t);
    for (int i = 0; i < COUNT; i++) {
        double expected = sqrt(schedule.alpha_bar[t[i / DIMS]]) * x_0[i] +
                          sqrt(schedule.beta_bar[t[i / DIMS]]) * eps[i];
        ck_assert_double_eq_tol(x_t[i], expected, 1e-6);
    }
    ck_assert_mem_eq(x_t, x_0, DIMS * sizeof *x_t); /* timestep 0 is the data */
    forward_noise(&schedule, t, x_0, eps, IMAGES, DIMS, eps);
    ck_assert_mem_eq(eps, x_t, sizeof eps); /* in place */
    schedule_free(&schedule);
}
END_TEST

/* A batch drawn whole, image by image, and by several threads: the same numbers. */
START_TEST(draws_do_not_depend_on_the_split)
{
    Schedule schedule = make_schedule();
    const BatchKey key = {.seed = 5, .stage = 1, .step = 12, .first = 0};
    int t[IMAGES], other_t[IMAGES];
    float eps[COUNT], other[COUNT];
    omp_set_num_threads(1);
    forward_draw(&schedule, key, IMAGES, DIMS, t, eps);
    omp_set_num_threads(4);
    forward_draw(&schedule, key, IMAGES, DIMS, other_t, other);
    ck_assert_mem_eq(t, other_t, sizeof t);
    ck_assert_mem_eq(eps, other, sizeof eps);
    for (uint32_t i = 0; i < IMAGES; i++) {
        BatchKey one = key;
        one.first = i;
        forward_draw(&schedule, one, 1, DIMS, other_t + i, other + i * DIMS);
    }
    ck_assert_mem_eq(t, other_t, sizeof t);
    ck_assert_mem_eq(eps, other, sizeof eps);
    schedule_free(&schedule);
}
END_TEST

START_TEST(draws_differ_between_batches)
{
    Schedule schedule = make_schedule();
    const BatchKey keys[] = {
        {5, 1, 12, 0}, {6, 1, 12, 0}, {5, 2, 12, 0}, {5, 1, 13, 0}, {5, 1, 12, IMAGES}};
    int t[5][IMAGES];
    float eps[5][COUNT];
    for (int i = 0; i < 5; i++)
        forward_draw(&schedule, keys[i], IMAGES, DIMS, t[i], eps[i]);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_mem_ne(t[i], t[j], sizeof t[i]);
            double product = 0;
            for (int k = 0; k < COUNT; k++)
                product += (double)eps[i][k] * eps[j][k];
            ck_assert_double_lt(fabs(product) / COUNT, 5 / sqrt(COUNT));
        }
    }
    schedule_free(&schedule);
}
END_TEST

/* t is uniform in 1 .. N, both ends included, and does not sway eps. */
START_TEST(timesteps_are_uniform)
{
    enum { MANY = 200000, BINS = 20 };
    Schedule schedule = make_schedule();
    int *t = malloc(MANY * sizeof *t), bins[BINS] = {0}, ends[2] = {0};
    float *eps = malloc(MANY * sizeof *eps);
    double product = 0;
    forward_draw(&schedule, (BatchKey){.seed = 9, .stage = 2, .step = 1}, MANY, 1, t, eps);
    for (int i = 0; i < MANY; i++) {
        ck_assert(1 <= t[i] && t[i] <= 1000);
        bins[(t[i] - 1) * BINS / 1000]++;
        ends[0] += t[i] == 1;
        ends[1] += t[i] == 1000;
        product += (t[i] - 500.5) / 288.7 * eps[i];
    }
    double chi_square = 0, expected = (double)MANY / BINS;
    for (int i = 0; i < BINS; i++)
        chi_square += (bins[i] - expected) * (bins[i] - expected) / expected;
    ck_assert_double_lt(chi_square, BINS - 1 + 5 * sqrt(2.0 * (BINS - 1)));
    for (int i = 0; i < 2; i++)
        ck_assert_double_lt(fabs(ends[i] - MANY / 1000.0), 5 * sqrt(MANY / 1000.0));
    ck_assert_double_lt(fabs(product) / MANY, 5 / sqrt(MANY));
    free(t);
    free(eps);
    schedule_free(&schedule);
}
END_TEST

SUITE_MAIN("objective", losses_by_hand, nll_by_its_formula,
           the_weight_of_nll_makes_slopes_of_bounds, gradients_are_the_slopes,
           the_target_has_no_loss, targets_are_rounded_once,
           other_losses_see_the_timestep_and_the_schedule, what_may_be_null,
           losses_at_any_number_of_threads, losses_are_summed_in_double,
           the_table_is_sorted_and_complete, every_head_has_first_weights_of_its_own,
           lists_are_read_in_any_order_and_sorted, wrong_lists_are_told_what_is_right,
           choices_are_a_sentence, noising_by_the_formula, draws_do_not_depend_on_the_split,
           draws_differ_between_batches, timesteps_are_uniform)
