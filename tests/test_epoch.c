/* Tests of the order in which training visits images, and of the images that it mirrors. */
#include "base/random.h"
#include "data/dataset.h"
#include "data/epoch.h"
#include "data/flip.h"
#include "tests/expect.h"
#include "tests/suite.h"

static Error error; /* of the last call */

/* -- Flips and epochs ------------------------------------------------------------------------- */

START_TEST(a_flip_mirrors_rows)
{
    for (int width = 1; width <= 5; width++) {
        float image[3 * 5 * 2], original[3 * 5 * 2];
        for (int i = 0; i < 3 * width * 2; i++)
            original[i] = image[i] = (float)i;
        dataset_flip(image, 3, width, 2);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 2; c++)
                    ck_assert(image[(y * width + x) * 2 + c] ==
                              original[(y * width + width - 1 - x) * 2 + c]);
    }
}
END_TEST

/* Image i of a batch is mirrored if the coin of its number says so, in each stream by another coin. */
START_TEST(images_are_mirrored_by_the_coin_of_their_number)
{
    enum { MANY = 64, SIDE = 6, SIZE = SIDE * SIDE };
    static float images[MANY * SIZE];
    int64_t numbers[MANY];
    int mirrored = 0;
    Config config;
    config_defaults(&config);
    config.data.format = DATA_IDX;
    config.data.resolution = SIDE;
    config.data.channels = 1;
    for (int named = 0; named < 2; named++) {
        const FlipKey key = {
            .seed = 3, .stream = FLIP_QUALITY, .step = 7, .numbers = named ? numbers : NULL};
        for (int i = 0; i < MANY; i++)
            numbers[i] = 1000 - i;
        for (int i = 0; i < MANY * SIZE; i++)
            images[i] = (float)i;
        config.data.flip = false;
        flip_at_random(&config, &key, MANY, images);
        for (int i = 0; i < MANY * SIZE; i++)
            ck_assert(images[i] == (float)i);
        config.data.flip = true;
        flip_at_random(&config, &key, MANY, images);
        for (int i = 0; i < MANY; i++) {
            const RandomKey coin = {.seed = 3,
                                    .purpose = RANDOM_FLIP,
                                    .substream = 4,
                                    .step = 7,
                                    .sample = (uint32_t)(named ? numbers[i] : i)};
            const bool is_mirrored = random_u32(coin, 0) & 1;
            ck_assert(images[i * SIZE] == (float)(i * SIZE + (is_mirrored ? SIDE - 1 : 0)));
            mirrored += is_mirrored;
        }
    }
    ck_assert(mirrored > MANY / 2 && mirrored < 3 * MANY / 2);
}
END_TEST

START_TEST(an_epoch_visits_every_image_once)
{
    enum { COUNT = 101 };
    EpochOrder order;
    int64_t indices[3 * COUNT];
    assert_ok(epoch_make(&order, 7, COUNT, &error));
    epoch_indices(&order, 0, 3 * COUNT, indices);
    for (int epoch = 0; epoch < 3; epoch++) {
        bool seen[COUNT] = {false};
        for (int i = 0; i < COUNT; i++) {
            int64_t index = indices[epoch * COUNT + i];
            ck_assert(index >= 0 && index < COUNT && !seen[index]);
            seen[index] = true;
        }
    }
    ck_assert_mem_ne(indices, indices + COUNT, COUNT * sizeof(int64_t));
    int fixed = 0;
    for (int i = 0; i < COUNT; i++)
        fixed += indices[i] == i;
    ck_assert_int_lt(fixed, 10); /* one on average */
    epoch_free(&order);
}
END_TEST

START_TEST(the_order_depends_on_the_position_alone)
{
    enum { COUNT = 10, TOTAL = 64 };
    EpochOrder order;
    int64_t whole[TOTAL], parts[TOTAL], other[TOTAL];
    assert_ok(epoch_make(&order, 7, COUNT, &error));
    epoch_indices(&order, 0, TOTAL, whole);
    for (int batch = 1; batch <= 32; batch *= 2) {
        for (int first = TOTAL - batch; first >= 0;
             first -= batch) /* backwards, as after a resume */
            epoch_indices(&order, first, batch, parts + first);
        ck_assert_mem_eq(parts, whole, sizeof whole);
    }
    epoch_free(&order);
    assert_ok(epoch_make(&order, 8, COUNT, &error));
    epoch_indices(&order, 0, TOTAL, other);
    ck_assert_mem_ne(other, whole, sizeof whole);
    epoch_free(&order);
}
END_TEST

SUITE_MAIN("epoch", a_flip_mirrors_rows, images_are_mirrored_by_the_coin_of_their_number,
           an_epoch_visits_every_image_once, the_order_depends_on_the_position_alone)
