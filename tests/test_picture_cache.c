/* Tests of the cache of decoded pictures: when it is made, used, replaced and refused. */
#include "base/interrupt.h"
#include "base/note.h"
#include "data/cache_place.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/picture_set.h"
#include "io/file_kind.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static Error error; /* of the last call */

enum { SIDE = 8, PIXELS = SIDE * SIDE, COUNT = 12 };

/* -- Pictures ---------------------------------------------------------------------------------- */

static void write_picture(const char *name, int level)
{
    uint8_t pixels[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(level + i);
    MadeFile file = made_plain_png(SIDE, SIDE, 1, pixels);
    scratch_write(scratch_path(name), file.bytes, file.size);
    free(file.bytes);
}

/* Twelve pictures in three classes, "set/b1/04.png". */
static void write_set(void)
{
    ck_assert_int_eq(mkdir(scratch_path("set"), 0777), 0);
    for (int c = 0; c < 3; c++) {
        char name[64];
        snprintf(name, sizeof name, "set/b%d", c);
        ck_assert_int_eq(mkdir(scratch_path(name), 0777), 0);
        for (int i = c; i < COUNT; i += 3) {
            snprintf(name, sizeof name, "set/b%d/%02d.png", c, i);
            write_picture(name, 10 * i);
        }
    }
}

/* -- Notes ------------------------------------------------------------------------------------- */

static char notes[8192];

static void keep_notes(const char *line)
{
    strncat(notes, line, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static bool noted(const char *text)
{
    return strstr(notes, text) != NULL;
}

/* -- Opening ----------------------------------------------------------------------------------- */

static Config config_of(const char *path)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = SIDE;
    config.data.cache = DATA_CACHE_ALWAYS;
    snprintf(config.data.train, sizeof config.data.train, "%s", path);
    config.data.test[0] = '\0';
    return config;
}

static void use_run(void)
{
    cache_place_set(scratch_path("run"), false);
    note_show(keep_notes);
}

/* Opens, reads every image, and closes. What was noted is in `notes`. */
static uint64_t read_with(const Config *config)
{
    Dataset *dataset;
    uint64_t print;
    notes[0] = '\0';
    assert_ok(dataset_open(&dataset, config, DATASET_TRAIN, &error));
    assert_ok(dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &print, &error));
    dataset_close(dataset);
    return print;
}

static uint64_t read_set(void)
{
    const Config config = config_of(scratch_path("set"));
    return read_with(&config);
}

static uint64_t read_in_memory(const char *name)
{
    Config config = config_of(scratch_path(name));
    config.data.cache = DATA_CACHE_NEVER;
    return read_with(&config);
}

/* The files of a directory, and with `cache` the name of the last cache among them. */
static int files_in(const char *name, char cache[512])
{
    int count = 0;
    DIR *directory = opendir(scratch_path(name));
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (cache)
            snprintf(cache, 512, "%s/%s", scratch_path(name), entry->d_name);
    }
    if (directory)
        closedir(directory);
    return count;
}

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

/* -- Damage ------------------------------------------------------------------------------------ */

START_TEST(a_damaged_cache_is_made_anew)
{
    char cache[512];
    size_t size;
    write_set();
    use_run();
    const uint64_t print = read_set();
    files_in("run", cache);
    char *bytes = scratch_read(cache, &size);
    /* In the header, in an image and in the index; behind its mark, for a file that is no cache is not
     * replaced. */
    for (size_t at = 40; at < size; at += at < 300 ? 8 : at < 4096 ? 500 : 61) {
        bytes[at] ^= 4;
        scratch_write(cache, bytes, size);
        bytes[at] ^= 4;
        ck_assert(read_set() == print);
        const bool counts = at < 136 || at >= 4096;
        ck_assert_msg(noted("is damaged, and the pictures are decoded again") == counts,
                      "byte %zu: %s", at, notes);
        ck_assert(scratch_same_bytes(cache, bytes, size) || !counts);
        ck_assert_int_eq(files_in("run", NULL), 1);
    }
    for (size_t cut = 0; cut < size; cut += 1 + cut / 3 * 2) {
        scratch_write(cache, bytes, cut);
        ck_assert(read_set() == print);
        ck_assert(noted("is damaged"));
    }
    free(bytes);
}
END_TEST

START_TEST(a_cache_that_is_damaged_while_it_is_used_is_made_anew)
{
    char cache[512];
    Dataset *dataset;
    float first[PIXELS], again[PIXELS];
    const int64_t index = 5;
    write_set();
    use_run();
    const Config config = config_of(scratch_path("set"));
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_read(dataset, &index, 1, first, &error));
    files_in("run", cache);
    ck_assert_int_eq(truncate(cache, 4500), 0);
    notes[0] = '\0';
    assert_ok(dataset_read(dataset, (int64_t[]){11}, 1, again, &error));
    ck_assert(noted("set: its cache is damaged, and the pictures are decoded again"));
    assert_ok(dataset_read(dataset, &index, 1, again, &error));
    ck_assert(memcmp(first, again, sizeof first) == 0);
    /* The pictures have changed meanwhile: no other images slip into a training. */
    files_in("run", cache);
    ck_assert_int_eq(truncate(cache, 4096), 0);
    write_picture("set/b0/00.png", 99);
    assert_fails_as(dataset_read(dataset, &index, 1, again, &error), ERROR_RUNTIME,
                    "set: its pictures were changed while they were used");
    dataset_close(dataset);
}
END_TEST

START_TEST(a_file_that_is_no_cache_is_not_replaced)
{
    char cache[512];
    write_set();
    use_run();
    const uint64_t print = read_set();
    files_in("run", cache);
    scratch_write(cache, "my own file", 11);
    ck_assert(read_set() == print);
    ck_assert(noted("set: its images stay in memory, since no cache can be kept"));
    ck_assert(scratch_same_bytes(cache, "my own file", 11));
}
END_TEST

/* -- Places that cannot be written ------------------------------------------------------------- */

START_TEST(without_a_place_for_it_the_images_stay_in_memory)
{
    write_set();
    note_show(keep_notes);
    scratch_write(scratch_path("file"), "x", 1);
    cache_place_set(scratch_path("file/run"), false);
    const uint64_t print = read_set();
    ck_assert(noted("set: its images stay in memory, since no cache can be kept: "));
    ck_assert(print == read_in_memory("set"));
    if (geteuid() != 0) {
        ck_assert_int_eq(mkdir(scratch_path("closed"), 0500), 0);
        cache_place_set(scratch_path("closed"), false);
        ck_assert(read_set() == print);
        ck_assert(noted("no cache can be kept"));
    }
}
END_TEST

START_TEST(a_limit_and_a_full_disk_bring_the_images_back_to_memory)
{
    write_set();
    const uint64_t print = read_in_memory("set");
    use_run();
    Config config = config_of(scratch_path("set"));
    for (int images = 0; images < COUNT; images++) {
        config.data.cache_limit = (4096 + images * PIXELS) / 1073741824.0;
        ck_assert(read_with(&config) == print);
        ck_assert(noted("would have more than data.cache_limit"));
        ck_assert_int_eq(files_in("run", NULL), 0);
    }
    /* A limit on the size of files is an error of write(2), as a full disk is. */
    interrupt_install();
    config = config_of(scratch_path("set"));
    for (rlim_t most = 4096; most <= 4096 + COUNT * PIXELS + 100; most += 50) {
        const struct rlimit limit = {most, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const uint64_t now = read_with(&config);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert(now == print);
        ck_assert(noted("cannot be written: File too large"));
        ck_assert_int_eq(files_in("run", NULL), 0);
    }
}
END_TEST

/* -- Killed passes, and two at once ------------------------------------------------------------ */

START_TEST(what_a_killed_pass_left_is_not_trusted_and_removed)
{
    char cache[512], left[600], held[600];
    size_t size;
    write_set();
    use_run();
    const uint64_t print = read_set();
    files_in("run", cache);
    char *bytes = scratch_read(cache, &size);
    snprintf(left, sizeof left, "%s/data-0123456789abcdef.cache.tmp-abcdefgh", scratch_path("run"));
    snprintf(held, sizeof held, "%s/data-fedcba9876543210.cache.tmp-abcdefgh", scratch_path("run"));
    scratch_write(left, bytes, size / 2);
    scratch_write(held, bytes, size / 2);
    free(bytes);
    const int fd = open(held, O_RDWR); /* another program writes this one */
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(unlink(cache), 0);
    ck_assert(read_set() == print);
    ck_assert(noted("in a cache"));
    ck_assert(access(left, F_OK) != 0);
    ck_assert(access(held, F_OK) == 0);
    close(fd);
}
END_TEST

START_TEST(a_pass_that_is_interrupted_leaves_nothing)
{
    Dataset *dataset;
    write_set();
    use_run();
    const Config config = config_of(scratch_path("set"));
    interrupt_install();
    ck_assert_int_eq(raise(SIGTERM), 0);
    assert_fails_as(dataset_open(&dataset, &config, DATASET_TRAIN, &error), ERROR_RUNTIME, "");
    ck_assert(access(scratch_path("run"), F_OK) != 0);
}
END_TEST

static void remove_caches(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        if (strlen(entry->d_name) == strlen("data-0123456789abcdef.cache"))
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
}

START_TEST(passes_at_the_same_time_do_not_mix)
{
    enum { PROGRAMS = 4, ROUNDS = 10 };
    write_set();
    use_run();
    /* A child has other scratch files. It may use threads, since its parent has not begun to. */
    const Config config = config_of(scratch_path("set"));
    uint64_t *prints = mmap(NULL, PROGRAMS * ROUNDS * sizeof *prints, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(prints != MAP_FAILED);
    for (int p = 0; p < PROGRAMS; p++) {
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        for (int round = 0; child == 0 && round < ROUNDS; round++) {
            prints[p * ROUNDS + round] = read_with(&config);
            if (p == 0)
                remove_caches(cache_place().directory);
        }
        if (child == 0)
            _exit(0);
    }
    for (int p = 0; p < PROGRAMS; p++) {
        int status = 0;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    const uint64_t print = read_set();
    for (int i = 0; i < PROGRAMS * ROUNDS; i++)
        ck_assert(prints[i] == print);
    ck_assert_int_eq(files_in("run", NULL), 1);
}
END_TEST

SUITE_MAIN("picture_cache", a_cache_gives_the_images_that_the_pictures_give,
           a_cache_of_an_archive_has_the_order_of_names,
           a_small_set_stays_in_memory_and_a_large_one_does_not,
           labels_and_what_was_left_out_are_in_the_cache,
           a_change_of_a_picture_makes_a_new_cache_in_place_of_the_old_one,
           another_rule_has_a_cache_of_its_own,
           verify_finds_a_byte_that_changed_under_the_same_size_and_time,
           a_damaged_cache_is_made_anew, a_cache_that_is_damaged_while_it_is_used_is_made_anew,
           a_file_that_is_no_cache_is_not_replaced,
           without_a_place_for_it_the_images_stay_in_memory,
           a_limit_and_a_full_disk_bring_the_images_back_to_memory,
           what_a_killed_pass_left_is_not_trusted_and_removed,
           a_pass_that_is_interrupted_leaves_nothing, passes_at_the_same_time_do_not_mix)
