/* Tests of the trial of a file in a child process: a trial that hangs is ended and the file
 * refused; a trial that is only slow may take its time. */
#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "hdf5/hdf5_trial.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <hdf5.h>
#include <signal.h>
#include <zlib.h>

static Error error; /* of the last call */

enum { PATIENCE = 1 }; /* seconds */

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void work_for(double seconds)
{
    for (const double end = processor_seconds() + seconds; processor_seconds() < end;)
        continue;
}

static void work_in_parts(void *parts)
{
    for (int i = 0; i < *(const int *)parts; i++) {
        work_for(0.5);
        hdf5_trial_goes_on();
    }
}

static void hang(void *unused)
{
    (void)unused;
    work_for(30);
}

/* Four times the patience, but never long without a part that is done. */
START_TEST(what_goes_on_may_take_long)
{
    int parts = 8;
    assert_ok(hdf5_trial("x.h5", PATIENCE, work_in_parts, &parts, &error));
}
END_TEST

START_TEST(what_hangs_is_refused)
{
    assert_fails(hdf5_trial("x.h5", PATIENCE, hang, NULL, &error),
                 "x.h5: is a damaged HDF5 file, on which the HDF5 library crashes or hangs");
}
END_TEST

/* Whatever the program itself does when its time is up. */
START_TEST(a_program_that_ignores_the_limit_has_a_child_that_does_not)
{
    signal(SIGXCPU, SIG_IGN);
    assert_fails(hdf5_trial("x.h5", PATIENCE, hang, NULL, &error), "crashes or hangs");
}
END_TEST

/* A valid file that unpacks to a thousand times its size: every block of it counts as a part. 4 GB of zeros take longer
 * than a second. */
START_TEST(a_file_of_zeros_is_not_damaged)
{
    enum { SETS = 4, CHUNKS = 64 };
    const hsize_t chunk[2] = {16, 1 << 20}, extent[2] = {CHUNKS * 16, 1 << 20};
    const char *path = scratch_path("zeros.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, extent, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_deflate(creation, 9);
    uLongf size = 1 << 20;
    unsigned char *packed = malloc(size), *zeros = calloc(16, 1 << 20);
    ck_assert_int_eq(compress2(packed, &size, zeros, 16 << 20, 9), Z_OK);
    for (int i = 0; i < SETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "set%d", i);
        hid_t data =
            H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        for (hsize_t c = 0; c < CHUNKS; c++)
            ck_assert(H5Dwrite_chunk(data, H5P_DEFAULT, 0, (hsize_t[]){c * 16, 0}, size, packed) >=
                      0);
        H5Dclose(data);
    }
    free(packed);
    free(zeros);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    assert_ok(hdf5_trial(path, PATIENCE, hdf5_trial_read, (void *)path, &error));
}
END_TEST

SUITE_MAIN("hdf5_trial", what_goes_on_may_take_long, what_hangs_is_refused,
           a_program_that_ignores_the_limit_has_a_child_that_does_not,
           a_file_of_zeros_is_not_damaged)
