/* Runs the program `infer` as a user would, in a directory of its own, and makes files for it.
 *
 * `make test` puts the programs of its build on the PATH. By hand, from the root of the repository,
 * bin/infer is found. In a command line $D stands for the test's directory:
 *
 *     program_begin();
 *     infer_ok("sample --checkpoint tests/golden/golden_a.h5 --out $D/a.h5");
 *     float *x = golden_floats(in_directory("a.h5"), "samples", NULL, NULL);
 *     program_end();
 */
#pragma once

#include "tests/golden.h"
#include "tests/suite.h"

#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

static char program_directory[256];

static inline void program_begin(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(program_directory, sizeof program_directory, "%s/varhead-infer-XXXXXX",
             parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(program_directory));
    setenv("D", program_directory, 1);

    char here[1024], path[8192];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    snprintf(path, sizeof path, "%s:%s/bin", getenv("PATH"), here);
    setenv("PATH", path, 1);
}

static inline void program_end(void)
{
    ck_assert_int_eq(system("rm -rf \"$D\""), 0);
}

/* The path of a file there; good until the fourth next call. */
static inline const char *in_directory(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", program_directory, name);
    return path;
}

/* -- Running ---------------------------------------------------------------------------------- */

/* What the last run printed, stdout and stderr together. */
static char program_output[16384];

static inline int infer_status(const char *format, va_list arguments)
{
    char command[4096] = "infer ";
    size_t used = strlen(command);
    vsnprintf(command + used, sizeof command - used, format, arguments);
    used = strlen(command);
    snprintf(command + used, sizeof command - used, " >\"$D/output\" 2>&1");
    int status = system(command);

    FILE *file = fopen(in_directory("output"), "r");
    ck_assert_ptr_nonnull(file);
    program_output[fread(program_output, 1, sizeof program_output - 1, file)] = '\0';
    fclose(file);
    ck_assert_msg(WIFEXITED(status), "%s: ended by a signal: %s", command, program_output);
    return WEXITSTATUS(status);
}

static inline void infer_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void infer_fails(int expected, const char *message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline void infer_ok(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = infer_status(format, arguments);
    va_end(arguments);
    ck_assert_msg(status == 0, "infer %s: exit status %d: %s", format, status, program_output);
}

/* Fails with that exit status and one line that has `message` in it. */
static inline void infer_fails(int expected, const char *message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = infer_status(format, arguments);
    va_end(arguments);
    ck_assert_msg(status == expected, "infer %s: exit status %d, expected %d: %s", format, status,
                  expected, program_output);
    ck_assert_msg(strstr(program_output, message) != NULL, "infer %s: expected \"%s\" in: %s",
                  format, message, program_output);
    const char *newline = strchr(program_output, '\n');
    ck_assert_msg(strncmp(program_output, "infer: ", 7) == 0 && newline && newline[1] == '\0',
                  "infer %s: expected one line of error: %s", format, program_output);
}

/* -- Files ------------------------------------------------------------------------------------ */

static inline hid_t file_new(const char *name)
{
    hid_t file = H5Fcreate(in_directory(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_msg(file >= 0, "%s cannot be created", name);
    return file;
}

static inline void file_add(hid_t file, const char *name, hid_t type, int rank, const int64_t *dims,
                            const void *values)
{
    hsize_t extent[GOLDEN_MAX_RANK];
    for (int i = 0; i < rank; i++)
        extent[i] = (hsize_t)dims[i];
    hid_t space = H5Screate_simple(rank, extent, NULL);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0);
    ck_assert(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Sclose(space);
}

/* Copies an object of a golden file. */
static inline void file_copy(hid_t file, const char *name, const char *source, const char *object)
{
    hid_t from = golden_open(source);
    ck_assert_msg(H5Ocopy(from, object, file, name, H5P_DEFAULT, H5P_DEFAULT) >= 0,
                  "%s: %s cannot be copied", source, object);
    H5Fclose(from);
}

/* The configuration that a checkpoint holds becomes `text`. */
static inline void replace_config(hid_t file, const char *text)
{
    H5Ldelete(file, "config", H5P_DEFAULT);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t data = H5Dcreate2(file, "config", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Tclose(type);
}

/* A copy of a whole golden file, open for changes. */
static inline hid_t file_from(const char *name, const char *source)
{
    char command[1024];
    snprintf(command, sizeof command, "cp '%s' '%s' && chmod u+w '%s'", source, in_directory(name),
             in_directory(name));
    ck_assert_int_eq(system(command), 0);
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

/* -- Comparing -------------------------------------------------------------------------------- */

static inline void ck_arrays_close(const char *what, const float *got, const float *want,
                                   size_t count, double tolerance)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = larger(worst, fabs((double)got[i] - (double)want[i]));
    ck_assert_msg(worst <= tolerance, "%s: off by %g, at most %g allowed", what, worst, tolerance);
}

/* Reads an array that must have the shape dims[rank]. */
static inline float *read_shaped(const char *file, const char *dataset, int rank,
                                 const int64_t *dims)
{
    int64_t found[GOLDEN_MAX_RANK];
    int found_rank;
    float *values = golden_floats(file, dataset, &found_rank, found);
    ck_assert_int_eq(found_rank, rank);
    for (int i = 0; i < rank; i++)
        ck_assert_int_eq(found[i], dims[i]);
    return values;
}
