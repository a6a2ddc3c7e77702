/* Reads golden files: exact expected values for the tests.
 *
 * Images in these files are NCHW float32 in [-1, 1]. The schedule is in double, timesteps are
 * int64, pictures are uint8 in the order of a picture file. These readers call HDF5 directly
 * instead of lib/io, so that a fault of lib/io cannot hide itself. Paths are relative to the root
 * of the repository: "tests/golden/schedules.h5".
 *
 * An object that is missing or of another type ends the test with a message that names the file and
 * the object. The caller releases results with free().
 */
#pragma once

#include "tests/expect.h"

#include <check.h>
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GOLDEN_MAX_RANK = 8 };

/* -- Opening ---------------------------------------------------------------------------------- */

static inline hid_t golden_open(const char *file)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* the messages below say it better */
    hid_t handle = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (handle < 0)
        ck_abort_msg("%s: cannot be opened (tests run from the root of the repository)", file);
    return handle;
}

/* Whether `path` ("sample/ddpm_sn/x0") names a dataset or group of the file. */
static inline bool golden_exists(const char *file, const char *path)
{
    hid_t handle = golden_open(file);
    hid_t object = H5Oopen(handle, path, H5P_DEFAULT);
    if (object >= 0)
        H5Oclose(object);
    H5Fclose(handle);
    return object >= 0;
}

/* -- Datasets --------------------------------------------------------------------------------- */

/* The number of elements of a shape; 1 for a scalar (rank 0). */
static inline size_t golden_count(int rank, const int64_t *dims)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

/* Reads a whole dataset as elements of `type`, which take `size` bytes each. */
static inline void *golden_read(const char *file, const char *dataset, hid_t type, size_t size,
                                int *rank, int64_t *dims)
{
    hid_t handle = golden_open(file);
    hid_t data = H5Dopen2(handle, dataset, H5P_DEFAULT);
    if (data < 0)
        ck_abort_msg("%s: there is no dataset %s", file, dataset);

    hsize_t extent[GOLDEN_MAX_RANK] = {0};
    hid_t space = H5Dget_space(data);
    int axes = H5Sget_simple_extent_ndims(space);
    if (axes < 0 || axes > GOLDEN_MAX_RANK || H5Sget_simple_extent_dims(space, extent, NULL) < 0)
        ck_abort_msg("%s: %s has no shape, or more than %d axes", file, dataset, GOLDEN_MAX_RANK);

    size_t count = 1;
    for (int i = 0; i < axes; i++) {
        count *= (size_t)extent[i];
        if (dims)
            dims[i] = (int64_t)extent[i];
    }
    if (rank)
        *rank = axes;

    void *values = malloc(count * size + 1);
    if (!values || H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        ck_abort_msg("%s: %s cannot be read as the type asked for", file, dataset);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(handle);
    return values;
}

/* The values of a dataset, row-major; `rank` and `dims` [GOLDEN_MAX_RANK] may be NULL. */
static inline float *golden_floats(const char *file, const char *dataset, int *rank, int64_t *dims)
{
    return golden_read(file, dataset, H5T_NATIVE_FLOAT, sizeof(float), rank, dims);
}

static inline double *golden_doubles(const char *file, const char *dataset, int *rank,
                                     int64_t *dims)
{
    return golden_read(file, dataset, H5T_NATIVE_DOUBLE, sizeof(double), rank, dims);
}

static inline int64_t *golden_ints(const char *file, const char *dataset, int *rank, int64_t *dims)
{
    return golden_read(file, dataset, H5T_NATIVE_INT64, sizeof(int64_t), rank, dims);
}

static inline uint8_t *golden_bytes(const char *file, const char *dataset, int *rank, int64_t *dims)
{
    return golden_read(file, dataset, H5T_NATIVE_UINT8, sizeof(uint8_t), rank, dims);
}

/* Images as the program holds them: `values` [images, channels, height, width] becomes, in
 * place, [images, height, width, channels]. */
static inline void golden_to_nhwc(float *values, size_t images, size_t channels, size_t height,
                                  size_t width)
{
    size_t pixels = height * width;
    float *image = malloc(channels * pixels * sizeof(float));
    for (size_t i = 0; i < images; i++) {
        float *target = values + i * channels * pixels;
        memcpy(image, target, channels * pixels * sizeof(float));
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < pixels; p++)
                target[p * channels + c] = image[c * pixels + p];
    }
    free(image);
}

/* A dataset of one number. */
static inline double golden_scalar(const char *file, const char *dataset)
{
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    double *values = golden_doubles(file, dataset, &rank, dims);
    if (golden_count(rank, dims) != 1)
        ck_abort_msg("%s: %s is not one number", file, dataset);
    double value = values[0];
    free(values);
    return value;
}

/* -- Attributes and strings ------------------------------------------------------------------- */

/* The type of a string in memory, for one stored as `stored`: same kind, same size. */
static inline char *golden_read_string(hid_t source, hid_t stored, bool attribute)
{
    hid_t type = H5Tcopy(stored);
    char *text = NULL;
    herr_t status;
    if (H5Tis_variable_str(stored) > 0) {
        char *owned_by_hdf5 = NULL;
        status = attribute ? H5Aread(source, type, &owned_by_hdf5)
                           : H5Dread(source, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &owned_by_hdf5);
        if (status >= 0 && owned_by_hdf5) {
            text = strdup(owned_by_hdf5);
            H5free_memory(owned_by_hdf5);
        }
    } else {
        text = calloc(H5Tget_size(stored) + 1, 1); /* a fixed length has no closing zero byte */
        status = attribute ? H5Aread(source, type, text)
                           : H5Dread(source, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    }
    H5Tclose(type);
    if (status < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A dataset of one string, of fixed or variable length. */
static inline char *golden_string(const char *file, const char *dataset)
{
    hid_t handle = golden_open(file);
    hid_t data = H5Dopen2(handle, dataset, H5P_DEFAULT);
    if (data < 0)
        ck_abort_msg("%s: there is no dataset %s", file, dataset);
    hid_t stored = H5Dget_type(data);
    char *text =
        H5Tget_class(stored) == H5T_STRING ? golden_read_string(data, stored, false) : NULL;
    if (!text)
        ck_abort_msg("%s: %s is not a string", file, dataset);
    H5Tclose(stored);
    H5Dclose(data);
    H5Fclose(handle);
    return text;
}

/* Opens attribute `name` of `object` ("/" is the file's root) in the open file `handle`. */
static inline hid_t golden_open_attr(hid_t handle, const char *file, const char *object,
                                     const char *name)
{
    hid_t attr = H5Aopen_by_name(handle, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0)
        ck_abort_msg("%s: %s has no attribute %s", file, object, name);
    return attr;
}

static inline double golden_attr(const char *file, const char *object, const char *name)
{
    hid_t handle = golden_open(file);
    hid_t attr = golden_open_attr(handle, file, object, name);
    double value;
    if (H5Aread(attr, H5T_NATIVE_DOUBLE, &value) < 0)
        ck_abort_msg("%s: attribute %s of %s is not a number", file, name, object);
    H5Aclose(attr);
    H5Fclose(handle);
    return value;
}

static inline int64_t golden_attr_int(const char *file, const char *object, const char *name)
{
    return (int64_t)golden_attr(file, object, name);
}

static inline char *golden_attr_string(const char *file, const char *object, const char *name)
{
    hid_t handle = golden_open(file);
    hid_t attr = golden_open_attr(handle, file, object, name);
    hid_t stored = H5Aget_type(attr);
    char *text = H5Tget_class(stored) == H5T_STRING ? golden_read_string(attr, stored, true) : NULL;
    if (!text)
        ck_abort_msg("%s: attribute %s of %s is not a string", file, name, object);
    H5Tclose(stored);
    H5Aclose(attr);
    H5Fclose(handle);
    return text;
}

/* -- Groups and tolerances -------------------------------------------------------------------- */

/* How many members a group has, and the name of member `index`, alphabetically. */
static inline int golden_members(const char *file, const char *group)
{
    hid_t handle = golden_open(file);
    H5G_info_t info;
    if (H5Gget_info_by_name(handle, group, &info, H5P_DEFAULT) < 0)
        ck_abort_msg("%s: there is no group %s", file, group);
    H5Fclose(handle);
    return (int)info.nlinks;
}

static inline char *golden_member(const char *file, const char *group, int index)
{
    hid_t handle = golden_open(file);
    ssize_t length = H5Lget_name_by_idx(handle, group, H5_INDEX_NAME, H5_ITER_INC, (hsize_t)index,
                                        NULL, 0, H5P_DEFAULT);
    if (length < 0)
        ck_abort_msg("%s: group %s has no member %d", file, group, index);
    char *name = calloc((size_t)length + 1, 1);
    H5Lget_name_by_idx(handle, group, H5_INDEX_NAME, H5_ITER_INC, (hsize_t)index, name,
                       (size_t)length + 1, H5P_DEFAULT);
    H5Fclose(handle);
    return name;
}

/* The largest difference allowed from a float32 result: 1e-4 of its largest magnitude, or ten
 * times the error that another float32 computation was seen to make (the attribute f32_error;
 * not every dataset has it). */
static inline double golden_tolerance(const char *file, const char *dataset)
{
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    double *values = golden_doubles(file, dataset, &rank, dims);
    double largest = 0;
    for (size_t i = 0; i < golden_count(rank, dims); i++)
        largest = larger(largest, fabs(values[i]));
    free(values);

    hid_t handle = golden_open(file);
    bool known = H5Aexists_by_name(handle, dataset, "f32_error", H5P_DEFAULT) > 0;
    H5Fclose(handle);
    return fmax(1e-4 * largest, known ? 10 * golden_attr(file, dataset, "f32_error") : 0);
}
