/* Tests of the sample of blocks: its contents against the images that were offered, its choice
 * against the keys' rule, and equal samples after a stop and for any number of threads. */
#include "tests/suite.h"

#include "base/memory.h"
#include "stats/block_sample.h"
#include "tests/expect.h"

#include <omp.h>

static Error error; /* of the last call */

enum { SIDE = 10, BLOCKS = 3, FEATURES = 3, CHANNELS = 2, IMAGES = 4, STEPS = 6, GROUPS = 2 };
enum { PIXELS = SIDE * SIDE, OFFERED = IMAGES * BLOCKS * BLOCKS };

static const BlockSampleShape shape = {.side = SIDE, .features = FEATURES, .channels = CHANNELS};

/* A number that tells where it stands: step, image, y, x, element. */
static float code(uint32_t step, int image, int y, int x, int element)
{
    return (float)((((int)step * IMAGES + image) * SIDE + y) * SIDE + x) + 0.125f * (float)element +
           1;
}

static void fill(uint32_t step, int depth, float *values)
{
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < PIXELS; p++)
            for (int e = 0; e < depth; e++)
                *values++ = code(step, i, p / SIDE, p % SIDE, e);
}

/* Offers the images of a step to group step % GROUPS. */
static void offer(BlockSample *sample, uint32_t step)
{
    static float features[IMAGES * PIXELS * FEATURES], residuals[IMAGES * PIXELS * CHANNELS];
    int t[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        t[i] = 10 * (int)step + i + 1;
    fill(step, FEATURES, features);
    fill(step, CHANNELS, residuals);
    block_sample_offer(sample, (int)step % GROUPS,
                       &(BlockOffer){.seed = 3,
                                     .substream = 1,
                                     .step = step,
                                     .images = IMAGES,
                                     .t = t,
                                     .features = features,
                                     .residuals = residuals});
}

static size_t record_bytes(void)
{
    return (3 + 36 * FEATURES + 16 * CHANNELS) * sizeof(float);
}

static BlockSample *make(int capacity)
{
    BlockSample *sample;
    assert_ok(block_sample_make(&sample, &shape, GROUPS,
                                (double)(GROUPS * capacity) * (double)record_bytes() + 1, 1000000,
                                &error));
    return sample;
}

static BlockSample *sample_of(int capacity, uint32_t first, uint32_t end)
{
    BlockSample *sample = make(capacity);
    for (uint32_t step = first; step < end; step++)
        offer(sample, step);
    return sample;
}

static void ck_same(const BlockSample *a, const BlockSample *b)
{
    for (int g = 0; g < GROUPS; g++) {
        const size_t count = (size_t)block_sample_count(a, g);
        ck_assert_uint_eq(count, (size_t)block_sample_count(b, g));
        ck_assert_mem_eq(block_sample_records(a, g), block_sample_records(b, g),
                         count * record_bytes());
        ck_assert_mem_eq(block_sample_keys(a, g), block_sample_keys(b, g), count * sizeof(double));
    }
}

static int lower(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* -- Contents --------------------------------------------------------------------------------- */

/* What a block should hold at (y, x) of an image; 0 outside. */
static double expected(uint32_t step, int image, int y, int x, int element)
{
    return y < 0 || x < 0 || y >= SIDE || x >= SIDE ? 0 : (double)code(step, image, y, x, element);
}

START_TEST(a_block_holds_its_pixels_with_a_rim)
{
    BlockSample *sample = sample_of(OFFERED, 2, 3);
    bool seen[IMAGES][BLOCKS][BLOCKS] = {{{false}}};
    ck_assert_int_eq(block_sample_count(sample, 0), OFFERED);
    ck_assert_int_eq(block_sample_count(sample, 1), 0);
    for (int i = 0; i < OFFERED; i++) {
        const Block block = block_sample_at(sample, 0, i);
        const int image = block.t - 21; /* offer() numbers timesteps by images */
        const int at = (int)block.residuals[0] - 1 - (2 * IMAGES + image) * PIXELS;
        const int y0 = at / SIDE, x0 = at % SIDE;
        ck_assert(image >= 0 && image < IMAGES && y0 % 4 == 0 && x0 % 4 == 0);
        ck_assert_int_eq(block.height, y0 == 8 ? 2 : 4);
        ck_assert_int_eq(block.width, x0 == 8 ? 2 : 4);
        for (int p = 0; p < 36 * FEATURES; p++)
            ck_assert_double_eq((double)block.features[p],
                                expected(2, image, y0 - 1 + p / FEATURES / 6,
                                         x0 - 1 + p / FEATURES % 6, p % FEATURES));
        for (int p = 0; p < 16 * CHANNELS; p++)
            ck_assert_double_eq(
                (double)block.residuals[p],
                expected(2, image, y0 + p / CHANNELS / 4, x0 + p / CHANNELS % 4, p % CHANNELS));
        ck_assert(!seen[image][y0 / 4][x0 / 4]);
        seen[image][y0 / 4][x0 / 4] = true;
    }
    block_sample_free(sample);
}
END_TEST

/* -- The choice ------------------------------------------------------------------------------- */

START_TEST(a_full_group_keeps_the_smallest_keys)
{
    enum { CAPACITY = 20, ALL = STEPS / GROUPS * OFFERED };
    BlockSample *all = sample_of(ALL, 0, STEPS), *few = sample_of(CAPACITY, 0, STEPS);
    for (int g = 0; g < GROUPS; g++) {
        double keys[ALL], kept[CAPACITY];
        ck_assert_int_eq(block_sample_count(all, g), ALL);
        ck_assert_int_eq(block_sample_count(few, g), CAPACITY);
        memcpy(keys, block_sample_keys(all, g), sizeof keys);
        memcpy(kept, block_sample_keys(few, g), sizeof kept);
        /* A kept record is the record of its key among all. */
        for (int i = 0; i < CAPACITY; i++) {
            int j = 0;
            while (keys[j] != kept[i])
                j++;
            ck_assert_mem_eq(block_sample_at(few, g, i).features,
                             block_sample_at(all, g, j).features,
                             record_bytes() - 3 * sizeof(float));
        }
        qsort(keys, ALL, sizeof *keys, lower);
        qsort(kept, CAPACITY, sizeof *kept, lower);
        ck_assert_mem_eq(keys, kept, sizeof kept);
        for (int i = 1; i < ALL; i++)
            ck_assert_double_lt(keys[i - 1], keys[i]);
    }
    block_sample_free(all);
    block_sample_free(few);
}
END_TEST

/* Each block has the same chance: over many seeds the counts of the steps and of the places of
 * blocks are even. */
START_TEST(every_block_has_the_same_chance)
{
    enum { CAPACITY = 9, RUNS = 400, KEPT = RUNS * CAPACITY };
    static float features[IMAGES * PIXELS * FEATURES], residuals[IMAGES * PIXELS * CHANNELS];
    int of_step[STEPS] = {0}, of_image[IMAGES] = {0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        BlockSample *sample = make(CAPACITY);
        for (uint32_t step = 0; step < STEPS; step++) {
            int t[IMAGES];
            for (int i = 0; i < IMAGES; i++)
                t[i] = (int)step * IMAGES + i + 1;
            block_sample_offer(sample, 0,
                               &(BlockOffer){.seed = seed,
                                             .step = step,
                                             .images = IMAGES,
                                             .t = t,
                                             .features = features,
                                             .residuals = residuals});
        }
        for (int i = 0; i < CAPACITY; i++) {
            const int number = block_sample_at(sample, 0, i).t - 1;
            of_step[number / IMAGES]++;
            of_image[number % IMAGES]++;
        }
        block_sample_free(sample);
    }
    for (int i = 0; i < STEPS; i++) /* five standard deviations */
        ck_assert_double_lt(fabs(of_step[i] - KEPT / (double)STEPS),
                            5 * sqrt(KEPT / (double)STEPS));
    for (int i = 0; i < IMAGES; i++)
        ck_assert_double_lt(fabs(of_image[i] - KEPT / (double)IMAGES),
                            5 * sqrt(KEPT / (double)IMAGES));
}
END_TEST

START_TEST(the_sample_does_not_depend_on_threads)
{
    omp_set_num_threads(1);
    BlockSample *one = sample_of(25, 0, STEPS);
    omp_set_num_threads(3);
    BlockSample *three = sample_of(25, 0, STEPS);
    ck_same(one, three);
    block_sample_free(one);
    block_sample_free(three);
}
END_TEST

START_TEST(a_sample_that_is_stored_and_continued_is_the_uninterrupted_one)
{
    BlockSample *whole = sample_of(25, 0, STEPS), *part = sample_of(25, 0, 3), *rest = make(25);
    for (int g = 0; g < GROUPS; g++)
        assert_ok(block_sample_set(rest, g, block_sample_count(part, g),
                                   block_sample_records(part, g), block_sample_keys(part, g),
                                   &error));
    ck_same(part, rest);
    for (uint32_t step = 3; step < STEPS; step++)
        offer(rest, step);
    ck_same(whole, rest);
    block_sample_free(whole);
    block_sample_free(part);
    block_sample_free(rest);
}
END_TEST

START_TEST(the_sample_takes_the_memory_that_it_is_given)
{
    BlockSample *sample;
    assert_ok(block_sample_make(&sample, &shape, GROUPS, 0, 100, &error)); /* one block each */
    ck_assert_uint_eq(block_sample_record(sample) * sizeof(float), record_bytes());
    offer(sample, 0);
    offer(sample, 1);
    ck_assert_int_eq(block_sample_count(sample, 0), 1);
    block_sample_free(sample);
    assert_ok(block_sample_make(&sample, &shape, GROUPS, 1e9, 7, &error)); /* no more than 7 */
    offer(sample, 0);
    ck_assert_int_eq(block_sample_count(sample, 0), 7);
    ck_assert_double_lt(block_sample_bytes(sample), 2.0 * 7 * (double)(record_bytes() + 16) + 1);
    block_sample_free(sample);
#ifndef VARHEAD_NO_DISPATCH /* the sanitizers' allocator does not refuse */
    assert_fails_as(block_sample_make(&sample, &shape, GROUPS, 1e18, INT64_MAX, &error),
                    ERROR_RUNTIME, "a sample of blocks");
#endif
}
END_TEST

START_TEST(what_cannot_be_a_sample_is_refused)
{
    BlockSample *sample = sample_of(5, 0, 1), *other = make(4);
    const int count = (int)block_sample_count(sample, 0);
    const double *keys = block_sample_keys(sample, 0);
    float *records = memory_small((size_t)count, record_bytes());
    assert_fails(block_sample_set(other, 0, count, block_sample_records(sample, 0), keys, &error),
                 "expected at most 4 blocks of a sample, found 5");
    for (int field = 0; field < 3; field++) {
        static const float wrong[] = {0, 0.5f, -1, NAN, INFINITY};
        for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
            memcpy(records, block_sample_records(sample, 0), 4 * record_bytes());
            records[2 * block_sample_record(sample) + (size_t)field] = wrong[w];
            assert_fails(block_sample_set(other, 0, 4, records, keys, &error),
                         "block 2 of a sample");
        }
    }
    const double bad_keys[4] = {1, 0x1p53, 2, 3};
    assert_fails(block_sample_set(other, 0, 4, block_sample_records(sample, 0), bad_keys, &error),
                 "block 1 of a sample");
    ck_assert_int_eq(block_sample_count(other, 0), 0);
    memory_free(records);
    block_sample_free(sample);
    block_sample_free(other);
}
END_TEST

/* Offers images first .. end - 1 of a step, as the process does that has this share of them. */
static void offer_part(BlockSample *sample, uint32_t step, int first, int end)
{
    static float features[IMAGES * PIXELS * FEATURES], residuals[IMAGES * PIXELS * CHANNELS];
    int t[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        t[i] = 10 * (int)step + i + 1;
    fill(step, FEATURES, features);
    fill(step, CHANNELS, residuals);
    block_sample_offer(sample, (int)step % GROUPS,
                       &(BlockOffer){.seed = 3,
                                     .substream = 1,
                                     .step = step,
                                     .first = (uint32_t)first,
                                     .images = end - first,
                                     .t = t + first,
                                     .features = features + first * PIXELS * FEATURES,
                                     .residuals = residuals + first * PIXELS * CHANNELS});
}

static void merge(BlockSample *into, BlockSample *from)
{
    for (int g = 0; g < GROUPS; g++) {
        block_sample_merge(into, g, block_sample_count(from, g), block_sample_records(from, g),
                           block_sample_keys(from, g));
        block_sample_clear(from, g);
    }
}

START_TEST(samples_of_shares_become_the_sample_of_the_whole_in_the_order_of_keys)
{
    for (int capacity = 1; capacity <= 4 * OFFERED; capacity += 13) {
        BlockSample *whole = sample_of(capacity, 0, STEPS), *sorted = make(capacity);
        BlockSample *one = make(capacity), *other = make(capacity);
        for (uint32_t step = 0; step < STEPS; step++) {
            offer_part(one, step, 0, 3);
            offer_part(other, step, 3, IMAGES);
            if (step == 2) /* it is merged more than once, too */
                merge(one, other);
        }
        merge(one, other);
        merge(sorted, whole); /* the same blocks, sorted */
        ck_same(one, sorted);
        for (int g = 0; g < GROUPS; g++) {
            const double *keys = block_sample_keys(one, g);
            for (int64_t i = 1; i < block_sample_count(one, g); i++)
                ck_assert(keys[i - 1] < keys[i]);
            ck_assert_int_eq(block_sample_count(other, g), 0);
        }
        block_sample_free(whole);
        block_sample_free(sorted);
        block_sample_free(one);
        block_sample_free(other);
    }
}
END_TEST

SUITE_MAIN("block_sample", samples_of_shares_become_the_sample_of_the_whole_in_the_order_of_keys,
           a_block_holds_its_pixels_with_a_rim, a_full_group_keeps_the_smallest_keys,
           every_block_has_the_same_chance, the_sample_does_not_depend_on_threads,
           a_sample_that_is_stored_and_continued_is_the_uninterrupted_one,
           the_sample_takes_the_memory_that_it_is_given, what_cannot_be_a_sample_is_refused)
