/* Tests of HDF5 files that are replaced: whenever writing the new file fails, the old file is still
 * there and no other file is left. */
#include "hdf5/hdf5_file.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static Error error; /* of the last call */

/* A file with some arrays of `value`, large enough that HDF5 writes before the end. */
static bool write_some(const char *path, float value)
{
    float values[5000];
    for (int i = 0; i < 5000; i++)
        values[i] = value;
    Hdf5File *file;
    if (!hdf5_create(&file, path, &error))
        return false;
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "group.%d/x", i);
        if (!hdf5_write(file, name, HDF5_FLOAT32, 1, (int64_t[]){i < 5 ? 5000 : 10}, values,
                        &error)) {
            hdf5_close(file);
            return false;
        }
    }
    return hdf5_commit(file, &error);
}

START_TEST(equal_contents_make_equal_bytes)
{
    assert_ok(write_some(scratch_path("a.h5"), 1));
    sleep(1);
    assert_ok(write_some(scratch_path("b.h5"), 1));
    size_t size;
    char *bytes = scratch_read(scratch_path("a.h5"), &size);
    ck_assert(scratch_same_bytes(scratch_path("b.h5"), bytes, size));
    free(bytes);
}
END_TEST

START_TEST(the_old_file_stays_until_the_commit)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    const float two = 2;
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "x", HDF5_FLOAT32, 0, NULL, &two, &error));
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 2);
    hdf5_close(file); /* given up */
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 1);

    assert_ok(write_some(path, 2));
    ck_assert(!scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 1);
    free(bytes);
}
END_TEST

/* The limit stands for a full disk: both show as a failing write(2). HDF5 itself would crash. */
START_TEST(a_full_disk_harms_nothing)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t most = 0; most < size; most += size / 37 + 1) {
        limit.rlim_cur = most;
        setrlimit(RLIMIT_FSIZE, &limit);
        error = (Error){0};
        bool written = write_some(path, 2);
        limit.rlim_cur = limit.rlim_max; /* Check must be able to write its results */
        setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert(!written);
        ck_assert_int_eq(error.kind, ERROR_RUNTIME);
        ck_assert_msg(strstr(error.message, "a.h5: cannot be written: File too large") != NULL,
                      "%s", error.message);
        ck_assert(scratch_same_bytes(path, bytes, size));
        ck_assert_int_eq(scratch_count(), 1);
    }
    assert_ok(write_some(path, 2));
    free(bytes);
}
END_TEST

START_TEST(places_that_cannot_be_written)
{
    Hdf5File *file;
    assert_fails_as(hdf5_create(&file, scratch_path("none/a.h5"), &error), ERROR_RUNTIME,
                    "none/a.h5: cannot be written: No such file or directory");
    assert_fails_as(hdf5_create(&file, "tests/suite.h/a.h5", &error), ERROR_RUNTIME,
                    "tests/suite.h/a.h5: cannot be written: Not a directory");
    assert_fails_as(hdf5_create(&file, "/proc/a.h5", &error), ERROR_RUNTIME,
                    "/proc/a.h5: cannot be written");
    assert_fails_as(hdf5_create(&file, "tests/golden", &error), ERROR_INPUT, "is a directory");
    assert_fails_as(hdf5_create(&file, "tests/golden/", &error), ERROR_INPUT,
                    "name of a directory");
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_fails_as(hdf5_create(&file, scratch_path("pipe"), &error), ERROR_INPUT,
                    "pipe: is no regular file and can't be replaced");
    assert_fails_as(hdf5_create(&file, "", &error), ERROR_INPUT, "no file name given");

    if (getuid() == 0) { /* to whom nothing is forbidden */
        suite_skips("another user than root");
        return;
    }
    ck_assert_int_eq(mkdir(scratch_path("locked"), 0500), 0);
    assert_fails_as(hdf5_create(&file, scratch_path("locked/a.h5"), &error), ERROR_RUNTIME,
                    "locked/a.h5: cannot be written: Permission denied");
}
END_TEST

START_TEST(a_directory_that_vanishes_is_an_error)
{
    ck_assert_int_eq(mkdir(scratch_path("run"), 0700), 0);
    Hdf5File *file;
    assert_ok(hdf5_create(&file, scratch_path("run/a.h5"), &error));
    ck_assert_int_eq(rename(scratch_path("run"), scratch_path("moved")), 0);
    assert_fails_as(hdf5_commit(file, &error), ERROR_RUNTIME,
                    "run/a.h5: cannot be written: No such file or directory");
}
END_TEST

START_TEST(a_symbolic_link_stays)
{
    const char *path = scratch_path("a.h5");
    const char *target = scratch_path("target.h5");
    ck_assert_int_eq(symlink(target, path), 0);
    assert_ok(write_some(path, 1));
    struct stat status;
    ck_assert(lstat(path, &status) == 0 && S_ISLNK(status.st_mode));
    Hdf5File *file;
    assert_ok(hdf5_open(&file, target, &error));
    hdf5_close(file);
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

START_TEST(what_a_killed_program_left_is_removed)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    pid_t child = fork();
    if (child == 0) {
        Hdf5File *file;
        if (hdf5_create(&file, path, &error) && hdf5_write_string(file, "x", "half", &error))
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(scratch_count(), 2);
    ck_assert(scratch_same_bytes(path, bytes, size));
    assert_ok(write_some(path, 1)); /* others that look alike: tests/test_atomic_file.c */
    ck_assert_int_eq(scratch_count(), 1);
    free(bytes);
}
END_TEST

SUITE_MAIN("hdf5_replace", equal_contents_make_equal_bytes, the_old_file_stays_until_the_commit,
           a_full_disk_harms_nothing, places_that_cannot_be_written,
           a_directory_that_vanishes_is_an_error, a_symbolic_link_stays,
           what_a_killed_program_left_is_removed)
