/* Tests of a cache of decoded pictures that is damaged, cannot be written, or whose pass is stopped. */
#include "base/interrupt.h"
#include "io/file_kind.h"

#include "tests/picture_run.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Writes the pictures and reads them, so that the run has a cache, whose path it gives. Returns the
 * fingerprint of the images. */
static uint64_t read_into_cache(char cache[512])
{
    write_set();
    use_run();
    const uint64_t print = read_set();
    files_in("run", cache);
    return print;
}

/* -- Damage ------------------------------------------------------------------------------------ */

START_TEST(a_damaged_cache_is_made_anew)
{
    char cache[512];
    size_t size;
    const uint64_t print = read_into_cache(cache);
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
    const uint64_t print = read_into_cache(cache);
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
        const bool limited = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        uint64_t now = 0;
        const bool ok = try_to_read(&config, &now);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert(limited);
        ck_assert_msg(ok, "%s", error.message);
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
    const uint64_t print = read_into_cache(cache);
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

SUITE_MAIN("faults of the picture cache", a_damaged_cache_is_made_anew,
           a_cache_that_is_damaged_while_it_is_used_is_made_anew,
           a_file_that_is_no_cache_is_not_replaced,
           without_a_place_for_it_the_images_stay_in_memory,
           a_limit_and_a_full_disk_bring_the_images_back_to_memory,
           what_a_killed_pass_left_is_not_trusted_and_removed,
           a_pass_that_is_interrupted_leaves_nothing, passes_at_the_same_time_do_not_mix)
