/* Tests of the cache of decoded pictures: when it is made, used and replaced. */
#include "data/labels.h"
#include "data/picture_set.h"
#include "io/file_kind.h"

#include "tests/archive_files.h"
#include "tests/picture_run.h"
#include "tests/suite.h"

#include <fcntl.h>

static ino_t inode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_ino;
}

/* -- Making and using it ----------------------------------------------------------------------- */

START_TEST(a_cache_gives_the_images_that_the_pictures_give)
{
    char cache[512], again[512];
    write_set();
    use_run();
    const uint64_t print = read_in_memory("set");
    ck_assert_int_eq(files_in("run", NULL), 0);
    ck_assert(read_set() == print);
    ck_assert(noted("set: its images are in a cache"));
    ck_assert_int_eq(files_in("run", cache), 1);
    const ino_t inode = inode_of(cache);
    ck_assert(read_set() == print);
    ck_assert_str_eq(notes, "");
    ck_assert_int_eq(files_in("run", again), 1);
    ck_assert(inode_of(again) == inode);
    file_kind_remove(cache, FILE_PICTURE);
    ck_assert_int_eq(files_in("run", NULL), 1);
    file_kind_remove(cache, FILE_DATA_CACHE);
    ck_assert_int_eq(files_in("run", NULL), 0);
}
END_TEST

START_TEST(a_cache_of_an_archive_has_the_order_of_names)
{
    static MadeFile files[COUNT];
    static ArchiveFile archived[COUNT];
    static char names[COUNT][32];
    write_set();
    for (int i = 0; i < COUNT; i++) {
        char path[64];
        snprintf(names[i], sizeof names[i], "b%d/%02d.png", i % 3, i);
        snprintf(path, sizeof path, "set/%.31s", names[i]);
        files[i].bytes = (uint8_t *)scratch_read(scratch_path(path), &files[i].size);
        archived[(7 * i + 3) % COUNT] =
            (ArchiveFile){names[i], files[i].bytes, files[i].size, NULL};
    }
    use_run();
    const uint64_t print = read_set();
    const char *const archives[] = {"a.tar", "a.tar.gz", "a.zip"};
    for (int i = 0; i < 3; i++) {
        archive_write_files(scratch_path(archives[i]), archived, COUNT);
        const Config config = config_of(scratch_path(archives[i]));
        ck_assert(read_with(&config) == print);
        ck_assert(noted("in a cache"));
        ck_assert(read_with(&config) == print);
        ck_assert_str_eq(notes, "");
    }
    ck_assert_int_eq(files_in("run", NULL), 4); /* one for each place */
    for (int i = 0; i < COUNT; i++)
        free(files[i].bytes);
}
END_TEST

START_TEST(a_small_set_stays_in_memory_and_a_large_one_does_not)
{
    write_set();
    use_run();
    Config config = config_of(scratch_path("set"));
    config.data.cache = DATA_CACHE_AUTO;
    const uint64_t print = read_with(&config);
    ck_assert_int_eq(files_in("run", NULL), 0);
    cache_place_set_small(COUNT * PIXELS);
    ck_assert(read_with(&config) == print);
    ck_assert_int_eq(files_in("run", NULL), 0);
    cache_place_set_small(COUNT * PIXELS - 1);
    ck_assert(read_with(&config) == print);
    ck_assert_int_eq(files_in("run", NULL), 1);
    cache_place_set(NULL, false); /* a program that uses the library */
    ck_assert(read_with(&config) == print);
    ck_assert_str_eq(notes, "");
}
END_TEST

START_TEST(labels_and_what_was_left_out_are_in_the_cache)
{
    write_set();
    use_run();
    scratch_write(scratch_path("set/b1/00.png"), "", 0);
    scratch_write(scratch_path("set/b1/read.me"), "text", 4);
    Config config = config_of(scratch_path("set"));
    Dataset *dataset;
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error), "set: b1/00.png is empty");
    ck_assert_int_eq(files_in("run", NULL), 0);
    config.data.on_broken = BROKEN_SKIP;
    for (int pass = 0; pass < 2; pass++) {
        notes[0] = '\0';
        assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
        ck_assert(noted("in a cache") == (pass == 0));
        ck_assert(noted("set: b1/00.png is empty, and is left out\n"));
        ck_assert(noted("set: 1 broken pictures are left out, 12 are taken\n"));
        ck_assert(noted("set: 1 of its files are no PNG or JPEG, and are passed over"));
        Labels labels;
        assert_ok(labels_read(&labels, dataset, NULL, "--labels", 10, &error));
        ck_assert_int_eq(labels.classes, 3);
        for (int i = 0; i < COUNT; i++)
            ck_assert_int_eq(labels.values[i], i / 4);
        ck_assert_str_eq(labels.names[2], "b2");
        labels_free(&labels);
        dataset_close(dataset);
    }
    config.data.on_broken = BROKEN_STOP; /* the same cache */
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error), "set: b1/00.png is empty");
    ck_assert_int_eq(files_in("run", NULL), 1);
}
END_TEST

/* -- Changes ----------------------------------------------------------------------------------- */

static void set_time(const char *name, time_t seconds)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, scratch_path(name), times, 0), 0);
}

START_TEST(a_change_of_a_picture_makes_a_new_cache_in_place_of_the_old_one)
{
    write_set();
    use_run();
    uint64_t print = read_set();
    for (int change = 0; change < 5; change++) {
        char old[512], new[512];
        ck_assert_int_eq(files_in("run", old), 1);
        if (change == 0)
            set_time("set/b0/00.png", 1000); /* the same picture at another time */
        else if (change == 1)
            ck_assert_int_eq(rename(scratch_path("set/b0/00.png"), scratch_path("set/b0/z.png")),
                             0);
        else if (change == 2)
            write_picture("set/b1/a.png", 77);
        else if (change == 3)
            ck_assert_int_eq(unlink(scratch_path("set/b0/03.png")), 0);
        else
            write_picture("set/b1/01.png", 200);
        const uint64_t now = read_set();
        ck_assert(noted("in a cache"));
        ck_assert((now == print) == (change == 0));
        ck_assert(now == read_in_memory("set"));
        ck_assert_int_eq(files_in("run", new), 1);
        ck_assert_str_ne(old, new);
        print = now;
    }
}
END_TEST

START_TEST(another_rule_has_a_cache_of_its_own)
{
    write_set();
    use_run();
    (void)read_set();
    Config config = config_of(scratch_path("set"));
    config.data.resolution = SIDE / 2;
    config.data.resize = RESIZE_CENTER_CROP;
    (void)read_with(&config);
    ck_assert_int_eq(files_in("run", NULL), 2);
    (void)read_set();
    ck_assert_str_eq(notes, "");
    config.data.channels = 3;
    (void)read_with(&config);
    ck_assert_int_eq(files_in("run", NULL), 3);
}
END_TEST

static bool verify_set(void)
{
    const Config config = config_of(scratch_path("set"));
    Dataset *dataset;
    error.message[0] = '\0';
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    const bool same = dataset_verify(dataset, &error);
    dataset_close(dataset);
    return same;
}

START_TEST(verify_finds_a_byte_that_changed_under_the_same_size_and_time)
{
    size_t size;
    write_set();
    use_run();
    for (int i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "set/b%d/%02d.png", i % 3, i);
        set_time(name, 1000);
    }
    (void)read_set();
    ck_assert_msg(verify_set(), "%s", error.message);
    char *bytes = scratch_read(scratch_path("set/b1/04.png"), &size);
    bytes[size - 20] ^= 1;
    scratch_write(scratch_path("set/b1/04.png"), bytes, size);
    set_time("set/b1/04.png", 1000);
    (void)read_set(); /* nobody notices */
    ck_assert_str_eq(notes, "");
    ck_assert(!verify_set());
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_ptr_nonnull(
        strstr(error.message, "set: b1/04.png is not as it was when its cache was made"));
    ck_assert_ptr_nonnull(strstr(error.message, "is removed"));
    ck_assert_int_eq(files_in("run", NULL), 0);
    bytes[size - 20] ^= 1;
    scratch_write(scratch_path("set/b1/04.png"), bytes, size);
    free(bytes);
    ck_assert(verify_set());
}
END_TEST

SUITE_MAIN("picture_cache", a_cache_gives_the_images_that_the_pictures_give,
           a_cache_of_an_archive_has_the_order_of_names,
           a_small_set_stays_in_memory_and_a_large_one_does_not,
           labels_and_what_was_left_out_are_in_the_cache,
           a_change_of_a_picture_makes_a_new_cache_in_place_of_the_old_one,
           another_rule_has_a_cache_of_its_own,
           verify_finds_a_byte_that_changed_under_the_same_size_and_time)
