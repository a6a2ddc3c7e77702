/* Tests of stage 2 with losses made for the test: more heads than the table has, and losses that
 * are not squares. */
#include "base/memory.h"
#include "train/loop.h"
#include "train/stage2.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <math.h>

static Error error; /* of the last call */

/* -- Toys ------------------------------------------------------------------------------------- */

/* Twice as much as sn's head should say. */
static void target_double(const ObjectiveInput *in, double *y)
{
    objective_sn.target(in, y);
    for (size_t i = 0; i < in->dims; i++)
        y[i] *= 2;
}

/* |eps|, weighted by what is known of the timestep. */
static void target_absolute(const ObjectiveInput *in, double *y)
{
    for (size_t i = 0; i < in->dims; i++)
        y[i] = in->schedule->beta_bar[in->t] * fabs(in->eps[i]);
}

/* The likelihood of the residual: log u + r / u, u = exp(output). */
static double loss_likelihood(const ObjectiveInput *in, const float *output, double *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < in->dims; i++) {
        const double residual = (double)in->eps[i] - in->eps_hat[i];
        const double ratio = residual * residual * exp(-output[i]);
        sum += output[i] + ratio;
        if (gradient)
            gradient[i] = 1 - ratio;
    }
    return sum;
}

static const Objective toy_absolute = {.name = "absolute",
                                       .seed_offset = 21,
                                       .target = target_absolute},
                       toy_double = {.name = "double", .seed_offset = 22, .target = target_double},
                       toy_likelihood = {.name = "likelihood",
                                         .seed_offset = 23,
                                         .loss = loss_likelihood},
                       toy_twin = {.name = "twin", .seed_offset = 22, .target = target_double},
                       toy_u = {.name = "u", .seed_offset = 25, .loss = loss_likelihood},
                       toy_v = {.name = "v", .seed_offset = 26, .target = target_absolute};

/* As many as there can be, sorted. */
static const Stage2Task all_heads = {.losses = {&toy_absolute, &toy_double, &toy_likelihood,
                                                &objective_npr, &objective_sn, &toy_twin, &toy_u,
                                                &toy_v},
                                     .count = MAX_LEARNERS};

/* -- Runs ------------------------------------------------------------------------------------- */

static const char recipe[] =
    "name: toys\n"
    "data: {format: mixture, channels: 1, resolution: 8}\n"
    "diffusion: {timesteps: 40}\n"
    "model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.0, "
    "norm_groups: 4}\n"
    "stage2: {batch: 8, lr: 1.0e-3, images: 200, time_bins: 3}\n"
    "precision: f32\n";

static Config config;
static char run[300];

static void begin(const char *name, const char *overrides, int64_t steps)
{
    char text[1024];
    snprintf(run, sizeof run, "%s", scratch_path(name));
    snprintf(text, sizeof text, "%s%s", recipe, overrides);
    assert_ok(config_parse(&config, text, "recipe", NULL, 0, &error));
    config.stage2.steps = steps;
    config_resolve(&config);
}

static Stage2 *make(const Stage2Task *task)
{
    Stage *stage;
    assert_ok(stage2_make(&stage, &config, run, task, &error));
    return (Stage2 *)stage;
}

/* The stage after its run. */
static Stage2 *fit(const Stage2Task *task)
{
    Stage2 *s = make(task);
    assert_ok(loop_run(&s->stage, &(LoopOptions){.quiet = true}, &error));
    return s;
}

static const Learner *learner(const Stage2 *s, const char *target)
{
    for (int i = 0; i < s->stage.learner_count; i++)
        if (strcmp(s->stage.learners[i].target, target) == 0)
            return &s->stage.learners[i];
    ck_abort_msg("no head %s", target);
}

static void ck_same_head(const Stage2 *a, const Stage2 *b, const char *target)
{
    const OptimizerState *x = &learner(a, target)->state, *y = &learner(b, target)->state;
    ck_assert_uint_eq(x->size, y->size);
    ck_assert_msg(memcmp(x->ema, y->ema, x->size * sizeof(float)) == 0, "%s differs", target);
}

static const char adam[] = "checkpoint: {every: 2}\n";

static void use_adam(void)
{
    config.stage2.solver = SOLVER_ADAM;
}

/* -- Tests ------------------------------------------------------------------------------------ */

START_TEST(eight_heads_are_trained_each_as_if_alone)
{
    begin("all", adam, 5);
    use_adam();
    Stage2 *all = fit(&all_heads);
    ck_assert_str_eq(all->stage.name, "stage2-absolute+double+likelihood+npr+sn+twin+u+v");
    for (int i = 0; i < all_heads.count; i++) {
        const Stage2Task one = {.losses = {all_heads.losses[i]}, .count = 1};
        Stage2 *alone = fit(&one);
        ck_same_head(all, alone, all_heads.losses[i]->name);
        stage_free(&alone->stage);
    }
    /* A head is its loss and its first numbers, whatever it is called. */
    ck_assert_mem_eq(learner(all, "double")->state.ema, learner(all, "twin")->state.ema,
                     learner(all, "twin")->state.size * sizeof(float));
    ck_assert_mem_ne(learner(all, "u")->state.ema, learner(all, "likelihood")->state.ema,
                     learner(all, "u")->state.size * sizeof(float));
    stage_free(&all->stage);
}
END_TEST

START_TEST(eight_heads_are_saved_and_continued)
{
    begin("whole", adam, 6);
    use_adam();
    Stage2 *whole = fit(&all_heads);
    begin("parts", adam, 3);
    use_adam();
    Stage2 *part = fit(&all_heads);
    stage_free(&part->stage);
    config.stage2.steps = 6;
    part = fit(&all_heads);
    Checkpoint *checkpoint;
    assert_ok(checkpoint_open(&checkpoint, part->stage.path, &error));
    ck_assert_int_eq(checkpoint_heads(checkpoint), MAX_LEARNERS);
    for (int i = 0; i < all_heads.count; i++) {
        ck_same_head(whole, part, all_heads.losses[i]->name);
        ck_assert_str_eq(checkpoint_head(checkpoint, i), all_heads.losses[i]->name);
    }
    checkpoint_close(checkpoint);
    stage_free(&part->stage);
    stage_free(&whole->stage);
}
END_TEST

/* Adam on a loss that is no square: over many steps it falls. */
START_TEST(a_loss_that_is_no_square_is_trained)
{
    enum { STEPS = 60, SHARE = 20 };
    const Stage2Task task = {.losses = {&toy_likelihood}, .count = 1};
    double first = 0, last = 0;
    begin("likelihood", "", STEPS);
    use_adam();
    config.stage2.lr = 5e-2;
    Stage2 *s = make(&task);
    for (int i = 0; i < STEPS; i++) {
        double losses[MAX_LEARNERS], norms[MAX_LEARNERS];
        assert_ok(stage_step(&s->stage, i, losses, norms, &error));
        first += i < SHARE ? losses[0] : 0;
        last += i >= STEPS - SHARE ? losses[0] : 0;
    }
    ck_assert_msg(last < first - 0.5 * SHARE, "%g, then %g", first / SHARE, last / SHARE);
    stage_free(&s->stage);
}
END_TEST

START_TEST(any_number_of_squared_losses_is_solved_for)
{
    const Stage2Task task = {.losses = {&toy_absolute, &toy_double, &objective_npr, &objective_sn},
                             .count = 4};
    begin("exact", "", 1);
    config.stage2.batch = 64; /* fewer steps: 1,024 images are held out */
    ck_assert_int_eq(config.stage2.solver, SOLVER_EXACT);
    Stage2 *s = fit(&task);
    const Learner *sn = learner(s, "sn"), *twice = learner(s, "double");
    double largest = 0, off = 0;
    const int kernel = params_find(&sn->params, "conv_out.weight");
    ck_assert_int_ge(kernel, 0);
    const Param *param = &sn->params.items[kernel];
    for (size_t i = param->offset; i < param->offset + param->count; i++) {
        largest = larger(largest, fabs(sn->state.ema[i]));
        off = larger(off, fabs(twice->state.ema[i] - 2.0 * sn->state.ema[i]));
    }
    ck_assert_double_gt(largest, 0);
    ck_assert_msg(off < 1e-6 * largest, "%g of %g", off, largest);
    stage_free(&s->stage);
}
END_TEST

START_TEST(a_loss_that_is_no_square_is_not_solved_for)
{
    Stage *stage;
    const Stage2Task task = {.losses = {&toy_likelihood, &objective_sn}, .count = 2};
    begin("refused", "", 1);
    ck_assert_int_eq(config.stage2.solver, SOLVER_EXACT);
    assert_fails(
        stage2_make(&stage, &config, run, &task, &error),
        "--loss likelihood: stage2.solver is exact, which solves for squared losses and for nll; "
        "expected --set stage2.solver=adam");
    ck_assert_ptr_null(stage);
}
END_TEST

START_TEST(auto_is_exact_only_where_every_loss_can_be_solved_for)
{
    const Stage2Task squares = {.losses = {&objective_npr, &objective_sn}, .count = 2};
    const Stage2Task mixed = {.losses = {&toy_likelihood, &objective_sn}, .count = 2};
    Config fresh;
    assert_ok(config_parse(&fresh, recipe, "recipe", NULL, 0, &error));
    fresh.stage2.time_bins = 0;
    config = fresh;
    stage2_resolve(&config, &squares);
    ck_assert(config.stage2.solver == SOLVER_EXACT && config_bins(&config).count > 1);
    config = fresh;
    stage2_resolve(&config, &mixed);
    ck_assert(config.stage2.solver == SOLVER_ADAM && config.stage2.time_bins == 1);
    config = fresh;
    config.stage2.solver = SOLVER_EXACT; /* asked for by name: refused later */
    stage2_resolve(&config, &mixed);
    ck_assert(config.stage2.solver == SOLVER_EXACT);
}
END_TEST

SUITE_MAIN("stage2", eight_heads_are_trained_each_as_if_alone, eight_heads_are_saved_and_continued,
           a_loss_that_is_no_square_is_trained, any_number_of_squared_losses_is_solved_for,
           a_loss_that_is_no_square_is_not_solved_for,
           auto_is_exact_only_where_every_loss_can_be_solved_for)
