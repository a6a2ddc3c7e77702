/* Tests of counter-based random numbers: the generator is Philox, the meaning of a seed never
 * changes, and the numbers have the distribution that they claim. Statistical limits are five
 * standard deviations. The numbers are the same in every run, so a test passes always or never. */
#include "base/random.h"
#include "tests/suite.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>

static const RandomKey key = {.seed = 20220614, .purpose = RANDOM_NOISE, .step = 3, .sample = 9};

/* Known answers published with Random123 (its kat_vectors, philox4x32 with 10 rounds). Our key
 * and counter words lie where they should when these come out. */
START_TEST(block_is_philox)
{
    const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        RandomKey words = {.seed = (uint64_t)cases[i].key[1] << 32 | cases[i].key[0],
                           .purpose = cases[i].counter[3] & 0xff,
                           .substream = cases[i].counter[3] >> 8,
                           .step = cases[i].counter[2],
                           .sample = cases[i].counter[1]};
        uint32_t out[4];
        random_block(words, cases[i].counter[0], out);
        for (int j = 0; j < 4; j++)
            ck_assert_uint_eq(out[j], cases[i].expected[j]);
    }
}
END_TEST

/* Numbers computed by another implementation: checkpoints and published results depend on
 * them, so they may never change. */
START_TEST(a_seed_keeps_its_meaning)
{
    RandomKey fixed = {
        .seed = 1234, .purpose = RANDOM_NOISE, .substream = 2, .step = 7, .sample = 3};
    const uint32_t words[4] = {0x95cbc641, 0xd61f1145, 0x0068fb43, 0x4d086718};
    const float normals[4] = {0.5348832380f, -0.8864006742f, -1.1282079242f, 3.4059196106f};
    float out[4];
    random_normal(fixed, out, 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(random_u32(fixed, i), words[i]);
        ck_assert(random_uniform(fixed, i) == (words[i] + 0.5) / 4294967296.0);
        ck_assert_float_eq_tol(out[i], normals[i], 2e-7f);
    }
}
END_TEST

/* Another algorithm for the same numbers: of random keys, every count, wherever the first block and
 * the memory lie, and nothing else is written. Block numbers wrap. */
START_TEST(many_blocks_are_those_made_one_by_one)
{
    enum { MOST = 200 };
    uint32_t out[4 * MOST + 9];
    for (uint32_t count = 0; count <= MOST; count++) {
        uint32_t draw[8];
        for (uint32_t i = 0; i < 8; i++)
            draw[i] = random_u32(key, 8 * count + i);
        RandomKey k = {.seed = (uint64_t)draw[0] << 32 | draw[1],
                       .purpose = (uint8_t)draw[2],
                       .substream = draw[3] >> 8,
                       .step = draw[4],
                       .sample = draw[5]};
        uint32_t first = count % 3 == 0 ? 0u - count / 2 : draw[6], shift = draw[7] % 8;
        for (size_t i = 0; i < sizeof out / sizeof *out; i++)
            out[i] = 99;
        random_blocks(k, first, count, out + shift);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t expected[4];
            random_block(k, first + i, expected);
            for (uint32_t w = 0; w < 4; w++)
                ck_assert_uint_eq(out[shift + w * count + i], expected[w]);
        }
        for (size_t i = 0; i < sizeof out / sizeof *out; i++)
            ck_assert(out[i] == 99 || (i >= shift && i < shift + 4 * count));
    }
}
END_TEST

static uint64_t first_bits(RandomKey k, uint32_t block)
{
    uint32_t out[4];
    random_block(k, block, out);
    return (uint64_t)out[0] << 32 | out[1];
}

START_TEST(every_part_of_a_key_matters)
{
    /* All combinations of two or three values for each part: no two blocks agree. */
    enum { KEYS = 3 * 2 * 3 * 3 * 3 * 2 };
    uint64_t seen[KEYS];
    int count = 0;
    const uint64_t seeds[] = {0, 1, 1ull << 40};
    const uint32_t parts[] = {0, 1, 1u << 20};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 2; b++)
            for (int c = 0; c < 3; c++)
                for (int d = 0; d < 3; d++)
                    for (int e = 0; e < 3; e++)
                        for (uint32_t block = 0; block < 2; block++) {
                            RandomKey k = {.seed = seeds[a],
                                           .purpose = (uint8_t)(b + 1),
                                           .substream = parts[c],
                                           .step = parts[d],
                                           .sample = parts[e]};
                            seen[count++] = first_bits(k, block);
                        }
    ck_assert_int_eq(count, KEYS);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            ck_assert_msg(seen[i] != seen[j], "keys %d and %d give the same numbers", i, j);
}
END_TEST

/* A prefix does not depend on how much is drawn, and nothing is written beyond it. */
START_TEST(fewer_normals_are_the_first_of_more)
{
    float all[101], some[101];
    random_normal(key, all, 101);
    for (size_t count = 0; count <= 9; count++) {
        for (int i = 0; i < 101; i++)
            some[i] = -99;
        random_normal(key, some, count);
        for (size_t i = 0; i < 101; i++)
            ck_assert(some[i] == (i < count ? all[i] : -99.0f));
    }
}
END_TEST

START_TEST(normals_are_normal)
{
    enum { COUNT = 1000000 };
    float *x = malloc(COUNT * sizeof *x);
    random_normal(key, x, COUNT);
    double power[5] = {0}, neighbours[4] = {0}, squares = 0;
    int beyond_two = 0;
    for (int i = 0; i < COUNT; i++) {
        double v = x[i];
        for (int p = 1; p <= 4; p++)
            power[p] += pow(v, p);
        for (int lag = 1; lag <= 3 && i >= lag; lag++)
            neighbours[lag] += v * x[i - lag];
        if (i % 2) /* the two of a Box-Muller pair share their radius */
            squares += (v * v - 1) * ((double)x[i - 1] * x[i - 1] - 1);
        beyond_two += fabs(v) > 2;
    }
    double n = COUNT;
    ck_assert_double_lt(fabs(power[1] / n), 5 / sqrt(n));
    ck_assert_double_lt(fabs(power[2] / n - 1), 5 * sqrt(2 / n));
    ck_assert_double_lt(fabs(power[3] / n), 5 * sqrt(15 / n));
    ck_assert_double_lt(fabs(power[4] / n - 3), 5 * sqrt(96 / n));
    for (int lag = 1; lag <= 3; lag++)
        ck_assert_double_lt(fabs(neighbours[lag] / n), 5 / sqrt(n));
    ck_assert_double_lt(fabs(squares / (n / 2)), 5 * 2 / sqrt(n / 2));
    double tail = erfc(2 / sqrt(2));
    ck_assert_double_lt(fabs(beyond_two / n - tail), 5 * sqrt(tail * (1 - tail) / n));
    free(x);
}
END_TEST

/* Pearson's statistic of counts that should be equal; its mean is bins - 1. */
static double chi_square(const int *counts, int bins, double expected)
{
    double sum = 0;
    for (int i = 0; i < bins; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static double chi_square_bound(int bins)
{
    return bins - 1 + 5 * sqrt(2.0 * (bins - 1));
}

START_TEST(integers_are_uniform)
{
    enum { BOUND = 10, DRAWS = 100000 };
    int counts[BOUND] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint32_t value = random_below(key, i, BOUND);
        ck_assert_uint_lt(value, BOUND);
        counts[value]++;
    }
    ck_assert_double_lt(chi_square(counts, BOUND, (double)DRAWS / BOUND), chi_square_bound(BOUND));
    ck_assert_uint_eq(random_below(key, 0, 1), 0);
}
END_TEST

START_TEST(uniforms_are_uniform)
{
    enum { BINS = 64, DRAWS = 200000 };
    int counts[BINS] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        double value = random_uniform(key, i);
        ck_assert(value > 0 && value < 1);
        counts[(int)(value * BINS)]++;
    }
    ck_assert_double_lt(chi_square(counts, BINS, (double)DRAWS / BINS), chi_square_bound(BINS));
}
END_TEST

static bool is_permutation(const uint32_t *order, uint32_t count)
{
    bool *seen = calloc(count + 1, sizeof *seen);
    bool fine = true;
    for (uint32_t i = 0; i < count; i++) {
        fine = fine && order[i] < count && !seen[order[i]];
        if (order[i] < count)
            seen[order[i]] = true;
    }
    free(seen);
    return fine;
}

START_TEST(permutations_are_permutations)
{
    const uint32_t counts[] = {0, 1, 2, 3, 17, 60000};
    uint32_t *order = malloc(60000 * sizeof *order), *other = malloc(60000 * sizeof *order);
    for (int i = 0; i < 6; i++) {
        random_permutation(key, order, counts[i]);
        ck_assert_msg(is_permutation(order, counts[i]), "of %u", counts[i]);
    }
    RandomKey next = key;
    next.step++;
    random_permutation(next, other, 60000);
    int same = 0;
    for (int i = 0; i < 60000; i++)
        same += order[i] == other[i];
    ck_assert_int_lt(same, 10); /* one is expected */
    free(order);
    free(other);
}
END_TEST

START_TEST(permutations_are_equally_likely)
{
    enum { ORDERS = 24, DRAWS = 24000 };
    int counts[ORDERS] = {0};
    for (uint32_t epoch = 0; epoch < DRAWS; epoch++) {
        uint32_t p[4];
        RandomKey k = {.seed = 5, .purpose = RANDOM_SHUFFLE, .step = epoch};
        random_permutation(k, p, 4);
        int rank = 0; /* the order's number in the factorial system */
        for (int i = 0; i < 4; i++) {
            int smaller = 0;
            for (int j = i + 1; j < 4; j++)
                smaller += p[j] < p[i];
            rank = rank * (4 - i) + smaller;
        }
        counts[rank]++;
    }
    ck_assert_double_lt(chi_square(counts, ORDERS, (double)DRAWS / ORDERS),
                        chi_square_bound(ORDERS));
}
END_TEST

START_TEST(threads_do_not_matter)
{
    enum { SAMPLES = 64, DIMS = 33 };
    static float one[SAMPLES * DIMS], many[SAMPLES * DIMS];
    for (int threads = 1; threads <= 4; threads += 3) {
        float *out = threads == 1 ? one : many;
#pragma omp parallel for num_threads(threads)
        for (int i = 0; i < SAMPLES; i++) {
            RandomKey k = key;
            k.sample = (uint32_t)i;
            random_normal(k, out + i * DIMS, DIMS);
        }
    }
    ck_assert_mem_eq(one, many, sizeof one);
}
END_TEST

SUITE_MAIN("random", block_is_philox, many_blocks_are_those_made_one_by_one,
           a_seed_keeps_its_meaning, every_part_of_a_key_matters,
           fewer_normals_are_the_first_of_more, normals_are_normal, integers_are_uniform,
           uniforms_are_uniform, permutations_are_permutations, permutations_are_equally_likely,
           threads_do_not_matter)
