/* Of several processes the first one decodes pictures, and the others read its cache. This process is
 * number 1 of two; a way made for the tests does what process 0 would. */
#include "base/group.h"
#include "base/group_way.h"
#include "data/cache_place.h"
#include "data/dataset.h"
#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, COUNT = 12 };

static Error error; /* of the last call */

static void write_set(void)
{
    ck_assert_int_eq(mkdir(scratch_path("set"), 0777), 0);
    for (int k = 0; k < COUNT; k++) {
        uint8_t pixels[PIXELS];
        char name[64];
        for (int i = 0; i < PIXELS; i++)
            pixels[i] = (uint8_t)(10 * k + i);
        MadeFile file = made_plain_png(SIDE, SIDE, 1, pixels);
        snprintf(name, sizeof name, "set/%02d.png", k);
        scratch_write(scratch_path(name), file.bytes, file.size);
        free(file.bytes);
    }
}

static uint64_t read_set(DataCache cache)
{
    Config config;
    Dataset *dataset;
    uint64_t print;
    config_defaults(&config);
    config.data.resolution = SIDE;
    config.data.cache = cache;
    snprintf(config.data.train, sizeof config.data.train, "%s", scratch_path("set"));
    config.data.test[0] = '\0';
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    ck_assert_int_eq(dataset_count(dataset), COUNT);
    assert_ok(dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &print, &error));
    dataset_close(dataset);
    return print;
}

/* What process 0 does at each question of the group, counted from 1; 0: nothing. */
static int questions, makes_cache_at, removes_pictures_at;

static int largest(int value)
{
    questions++;
    if (questions == makes_cache_at) {
        group_alone(true);
        (void)read_set(DATA_CACHE_ALWAYS);
        group_alone(false);
    }
    for (int k = 0; questions == removes_pictures_at && k < COUNT; k++) {
        char name[64];
        snprintf(name, sizeof name, "set/%02d.png", k);
        ck_assert_int_eq(unlink(scratch_path(name)), 0);
    }
    return value;
}

static void become_second(void)
{
    static GroupWay way;
    way = group_serial;
    way.rank = 1;
    way.size = 2;
    way.largest = largest;
    group_use(&way);
    questions = 0;
}

/* The questions: is there a state, has anyone no cache, has the first one made it. At the last one it
 * makes the cache, and the pictures vanish, so that nobody else could. */
START_TEST(the_first_decodes_and_the_second_reads)
{
    write_set();
    cache_place_set(scratch_path("run"), false);
    const uint64_t expected = read_set(DATA_CACHE_NEVER);
    makes_cache_at = removes_pictures_at = 3;
    become_second();
    ck_assert(read_set(DATA_CACHE_ALWAYS) == expected);
}
END_TEST

/* Without a cache both decode. */
START_TEST(a_set_in_memory_is_decoded_by_each)
{
    write_set();
    cache_place_set(scratch_path("run"), false);
    const uint64_t expected = read_set(DATA_CACHE_NEVER);
    makes_cache_at = removes_pictures_at = 0;
    become_second();
    ck_assert(read_set(DATA_CACHE_NEVER) == expected);
}
END_TEST

SUITE_MAIN("picture_group", the_first_decodes_and_the_second_reads,
           a_set_in_memory_is_decoded_by_each)
