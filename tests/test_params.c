/* Tests of parameters: their places in the flat array and their first values. Statistical limits
 * are five standard deviations. The numbers are the same in every run, so a test passes always or
 * never. */
#include "base/memory.h"
#include "engine/params.h"
#include "model/unet.h"
#include "tests/expect.h"
#include "tests/suite.h"

#include <math.h>
#include <omp.h>

enum { TENSORS = 4 };

/* The same four tensors, added in one order or the other. */
static ParamSet make_set(bool backwards)
{
    static const struct {
        const char *name;
        int rank, shape[2];
        ParamInit init;
        int fan_in;
    } tensors[TENSORS] = {
        {"a.weight", 2, {300, 400}, PARAM_UNIFORM_FAN_IN, 400},
        {"a.bias", 1, {300, 0}, PARAM_UNIFORM_FAN_IN, 400},
        {"n.weight", 1, {64, 0}, PARAM_ONE, 0},
        {"n.bias", 1, {64, 0}, PARAM_ZERO, 0},
    };
    ParamSet set;
    params_init(&set);
    for (int i = 0; i < TENSORS; i++) {
        int k = backwards ? TENSORS - 1 - i : i;
        params_add(&set, tensors[k].name, tensors[k].rank, tensors[k].shape, tensors[k].init,
                   tensors[k].fan_in);
    }
    return set;
}

static float *initial(const ParamSet *set, uint64_t seed)
{
    float *values = memory_small(set->size, sizeof *values);
    params_initialise(set, seed, values);
    return values;
}

START_TEST(parameters_lie_end_to_end)
{
    ParamSet set = make_set(false);
    size_t offset = 0;
    for (int i = 0; i < set.count; i++) {
        ck_assert_int_eq(params_find(&set, set.items[i].name), i);
        ck_assert_uint_eq(set.items[i].offset, offset);
        offset += set.items[i].count;
    }
    ck_assert_int_eq(set.count, TENSORS);
    ck_assert_uint_eq(set.items[0].count, 300 * 400);
    ck_assert_uint_eq(set.size, offset);
    ck_assert_int_eq(params_find(&set, "a.weights"), -1);

    const int shape[] = {300, 400};
    ck_assert_int_eq(params_add(&set, "a.weight", 2, shape, PARAM_UNIFORM_FAN_IN, 400), 0);
    ck_assert_int_eq(set.count, TENSORS);
    ck_assert_uint_eq(set.size, offset);
    params_free(&set);
}
END_TEST

/* U(-b, b), b = 1 / sqrt(fan_in): inside the bounds and near both, of mean 0 and variance b^2 / 3
 * (whose own variance is 4/45 b^4 / n). */
START_TEST(parameters_start_within_their_bounds)
{
    ParamSet set = make_set(false);
    float *values = initial(&set, 11);
    for (int i = 0; i < 2; i++) {
        const Param *param = &set.items[i];
        const double n = (double)param->count, bound = 1 / sqrt(400.0);
        double least = 1, most = -1, mean = 0, variance = 0;
        for (size_t k = 0; k < param->count; k++) {
            double value = values[param->offset + k];
            least = smaller(least, value);
            most = larger(most, value);
            mean += value / n;
            variance += value * value / n;
        }
        ck_assert(least >= -bound * (1 + 1e-7) && least < -0.95 * bound);
        ck_assert(most <= bound * (1 + 1e-7) && most > 0.95 * bound);
        ck_assert_double_eq_tol(mean, 0, 5 * bound / sqrt(3 * n));
        ck_assert_double_eq_tol(variance, bound * bound / 3,
                                5 * bound * bound * sqrt(4.0 / 45 / n));
    }
    for (size_t k = 0; k < 64; k++)
        ck_assert(values[set.items[2].offset + k] == 1 && values[set.items[3].offset + k] == 0);
    memory_free(values);
    params_free(&set);
}
END_TEST

START_TEST(parameters_start_from_their_names_and_the_seed)
{
    ParamSet set = make_set(false), reversed = make_set(true);
    omp_set_num_threads(1);
    float *values = initial(&set, 11), *other_seed = initial(&set, 12);
    omp_set_num_threads(3);
    float *others = initial(&reversed, 11);
    for (int i = 0; i < TENSORS; i++) {
        const Param *a = &set.items[i], *b = &reversed.items[TENSORS - 1 - i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_mem_eq(values + a->offset, others + b->offset, a->count * sizeof *values);
    }
    ck_assert_mem_ne(values, other_seed, 300 * sizeof *values);
    ck_assert_mem_ne(values, values + set.items[1].offset, 300 * sizeof *values);
    memory_free(values);
    memory_free(other_seed);
    memory_free(others);
    params_free(&set);
    params_free(&reversed);
}
END_TEST

/* A tensor's stream is told apart by a hash of its name: in the default network no two collide. */
START_TEST(no_two_tensors_start_alike)
{
    Config config;
    config_defaults(&config);
    ParamSet set;
    params_init(&set);
    Graph *graph = graph_new(&set, (GraphOptions){.batch = 1});
    unet_build(graph, &config);
    float *values = initial(&set, 11);
    for (int i = 0; i < set.count; i++)
        for (int k = 0; k < i; k++) {
            const Param *a = &set.items[i], *b = &set.items[k];
            if (a->init != PARAM_UNIFORM_FAN_IN || b->init != a->init || a->count < 2 ||
                b->count < 2)
                continue;
            double apart = 0;
            for (size_t e = 0; e < 2; e++)
                apart += fabs(values[a->offset + e] * sqrt(a->fan_in) -
                              values[b->offset + e] * sqrt(b->fan_in));
            ck_assert_msg(apart > 1e-6, "%s and %s", a->name, b->name);
        }
    memory_free(values);
    graph_free(graph);
    params_free(&set);
}
END_TEST

/* The deepest network of all, with a tensor of every name that a configuration can lead to: each has a stream of
 * its own. (params_add would abort if it were not so.) */
START_TEST(every_name_has_a_stream_of_its_own)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = 1024;
    config.model.channels = 4;
    config.model.norm_groups = 2;
    config.model.res_blocks = 16;
    config.model.levels = config.model.attentions = CONFIG_MAX_LEVELS;
    for (int i = 0; i < CONFIG_MAX_LEVELS; i++) { /* no two levels alike: shortcuts everywhere */
        config.model.channel_mult[i] = i + 1;
        config.model.attention[i] = 1024 >> i;
    }
    ParamSet set;
    params_init(&set);
    Graph *graph = graph_new(&set, (GraphOptions){.batch = 1});
    unet_build(graph, &config);
    ck_assert_int_gt(set.count, 5000);
    for (int i = 0; i < set.count; i++)
        for (int k = 0; k < i; k++)
            if (set.items[i].stream == set.items[k].stream)
                ck_abort_msg("%s and %s", set.items[i].name, set.items[k].name);
    graph_free(graph);
    params_free(&set);
}
END_TEST

SUITE_MAIN("params", parameters_lie_end_to_end, parameters_start_within_their_bounds,
           parameters_start_from_their_names_and_the_seed, no_two_tensors_start_alike,
           every_name_has_a_stream_of_its_own)
