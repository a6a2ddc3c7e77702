/* Arrays in HDF5 files: the checks before reading, reading, writing, and rows. */
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <stdio.h>
#include <string.h>

/* -- Types ------------------------------------------------------------------------------------- */

static hid_t memory_type(Hdf5Type type)
{
    switch (type) {
    case HDF5_FLOAT32:
        return H5T_NATIVE_FLOAT;
    case HDF5_FLOAT64:
        return H5T_NATIVE_DOUBLE;
    case HDF5_INT64:
        return H5T_NATIVE_INT64;
    case HDF5_UINT8:
        break;
    }
    return H5T_NATIVE_UINT8;
}

static hid_t stored_type(Hdf5Type type)
{
    switch (type) {
    case HDF5_FLOAT32:
        return H5T_IEEE_F32LE;
    case HDF5_FLOAT64:
        return H5T_IEEE_F64LE;
    case HDF5_INT64:
        return H5T_STD_I64LE;
    case HDF5_UINT8:
        break;
    }
    return H5T_STD_U8LE;
}

static const char *wanted_name(Hdf5Type type)
{
    switch (type) {
    case HDF5_FLOAT32:
    case HDF5_FLOAT64:
        return "floating-point numbers";
    case HDF5_INT64:
        return "integers";
    case HDF5_UINT8:
        break;
    }
    return "8-bit unsigned integers";
}

static bool accepts(Hdf5Type type, hid_t stored)
{
    H5T_class_t class = H5Tget_class(stored);
    size_t size = H5Tget_size(stored);
    switch (type) {
    case HDF5_FLOAT32:
    case HDF5_FLOAT64:
        return class == H5T_FLOAT && size <= 16;
    case HDF5_INT64:
        return class == H5T_INTEGER && size <= 8;
    case HDF5_UINT8:
        break;
    }
    return class == H5T_INTEGER && size == 1 && H5Tget_sign(stored) == H5T_SGN_NONE;
}

/* -- Shapes ------------------------------------------------------------------------------------ */

Hdf5ShapeText hdf5_shape_text(int rank, const int64_t *dims)
{
    Hdf5ShapeText shape;
    size_t used = (size_t)snprintf(shape.text, sizeof shape.text, "[");
    for (int i = 0; i < rank; i++) {
        const char *separator = i > 0 ? ", " : "";
        char *end = shape.text + used;
        size_t left = sizeof shape.text - used;
        used += (size_t)(dims[i] == HDF5_ANY
                             ? snprintf(end, left, "%sany", separator)
                             : snprintf(end, left, "%s%lld", separator, (long long)dims[i]));
    }
    snprintf(shape.text + used, sizeof shape.text - used, "]");
    return shape;
}

/* A scalar's shape may be NULL. */
static void copy_dims(int64_t *target, const int64_t *dims, int rank)
{
    for (int i = 0; i < rank; i++)
        target[i] = dims[i];
}

/* The shape of an open data set, in dims [HDF5_MAX_RANK]. */
static bool found_shape(hid_t dataset, const char *place, int *rank, int64_t *dims, Error *error)
{
    hsize_t extent[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    H5S_class_t class = H5Sget_simple_extent_type(space);
    *rank = H5Sget_simple_extent_dims(space, extent, NULL);
    H5Sclose(space);
    if (class == H5S_NULL)
        return error_input(error, "%s: holds nothing, not even a number", place);
    if (*rank < 0)
        return error_input(error, "%s: has no shape (%s)", place, hdf5_reason().text);
    if (*rank > HDF5_MAX_RANK)
        return error_input(error, "%s: has %d axes, expected %d at most", place, *rank,
                           HDF5_MAX_RANK);
    for (int i = 0; i < *rank; i++) {
        if (extent[i] > INT64_MAX)
            return error_input(error, "%s: has an impossible shape", place);
        dims[i] = (int64_t)extent[i];
    }
    return true;
}

static bool match_shape(hid_t dataset, const char *place, int rank, int64_t *dims, Error *error)
{
    int64_t found[HDF5_MAX_RANK] = {0};
    int found_rank = 0;
    if (!found_shape(dataset, place, &found_rank, found, error))
        return false;

    bool same = found_rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = dims[i] == HDF5_ANY || dims[i] == found[i];
    if (!same)
        return error_input(error, "%s: expected shape %s, found %s", place,
                           hdf5_shape_text(rank, dims).text,
                           hdf5_shape_text(found_rank, found).text);
    copy_dims(dims, found, rank);
    return true;
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* Opens an array and makes all checks; negative with an error. */
static hid_t open_array(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                        Error *error)
{
    hid_t dataset = hdf5_open_object(file, name, HDF5_DATASET, error);
    if (dataset < 0)
        return dataset;

    Hdf5Place place = hdf5_place(file, name);
    hid_t stored = H5Dget_type(dataset);
    bool ok = accepts(type, stored);
    if (!ok)
        error_input(error, "%s: expected %s, found %s", place.text, wanted_name(type),
                    hdf5_type_name(stored).text);
    ok = ok && match_shape(dataset, place.text, rank, dims, error) &&
         hdf5_check_storage(file, dataset, place.text, H5Tget_size(stored), rank, dims, error);
    H5Tclose(stored);
    if (ok)
        return dataset;
    H5Oclose(dataset);
    return H5I_INVALID_HID;
}

bool hdf5_check_stored(const Hdf5File *file, const char *name, hid_t dataset, int *rank,
                       int64_t *dims, Error *error)
{
    Hdf5Place place = hdf5_place(file, name);
    hid_t stored = H5Dget_type(dataset);
    bool ok =
        found_shape(dataset, place.text, rank, dims, error) &&
        hdf5_check_storage(file, dataset, place.text, H5Tget_size(stored), *rank, dims, error);
    H5Tclose(stored);
    return ok;
}

bool hdf5_check_opened(const Hdf5File *file, const char *name, hid_t dataset, Hdf5Type type,
                       int *rank, int64_t *dims, Error *error)
{
    hid_t stored = H5Dget_type(dataset);
    bool ok = accepts(type, stored) && hdf5_check_stored(file, name, dataset, rank, dims, error);
    H5Tclose(stored);
    return ok;
}

/* -- Whole arrays ------------------------------------------------------------------------------ */

bool hdf5_expect(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                 Error *error)
{
    hid_t dataset = open_array(file, name, type, rank, dims, error);
    if (dataset < 0)
        return false;
    H5Oclose(dataset);
    return true;
}

bool hdf5_shape(Hdf5File *file, const char *name, int *rank, int64_t *dims, Error *error)
{
    hid_t dataset = hdf5_open_object(file, name, HDF5_DATASET, error);
    if (dataset < 0)
        return false;
    bool ok = found_shape(dataset, hdf5_place(file, name).text, rank, dims, error);
    H5Oclose(dataset);
    return ok;
}

bool hdf5_read(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
               void *values, Error *error)
{
    int64_t expected[HDF5_MAX_RANK];
    copy_dims(expected, dims, rank);
    hid_t dataset = open_array(file, name, type, rank, expected, error);
    if (dataset < 0)
        return false;
    herr_t status = H5Dread(dataset, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    bool ok = hdf5_was_read(file, name, dataset, status, error);
    H5Oclose(dataset);
    return ok;
}

/* Everything that is written has a checksum. HDF5 keeps one of what lies in the header of an object, where
 * small arrays fit (compact), and one of each chunk of others, by its filter fletcher32.
 *
 * Chunks are some rows, of equal number so that the last has little to be filled up. Filling is asked for:
 * what is beyond the end would else be whatever was in memory, and equal contents make equal bytes. */
enum { COMPACT_BYTES = 8192, CHUNK_BYTES = 1 << 20 };

static void store_checked(hid_t creation, Hdf5Type type, int rank, const hsize_t *extent)
{
    const hsize_t item = H5Tget_size(stored_type(type));
    hsize_t row = item, chunk[HDF5_MAX_RANK];
    for (int i = 1; i < rank; i++) {
        chunk[i] = extent[i];
        row *= extent[i];
    }
    const hsize_t rows = rank > 0 ? extent[0] : 1;
    if (rows * row <= COMPACT_BYTES) {
        H5Pset_layout(creation, H5D_COMPACT);
        return;
    }
    const hsize_t fit = row < CHUNK_BYTES ? CHUNK_BYTES / row : 1;
    const hsize_t chunks = (rows + fit - 1) / fit;
    chunk[0] = (rows + chunks - 1) / chunks;
    H5Pset_chunk(creation, rank, chunk);
    H5Pset_fletcher32(creation);
    H5Pset_fill_time(creation, H5D_FILL_TIME_ALLOC);
}

/* Without a time stamp. */
static hid_t create_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                          const int64_t *dims)
{
    hsize_t extent[HDF5_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++)
        extent[i] = (hsize_t)dims[i];
    if (!hdf5_make_groups(file, name))
        return H5I_INVALID_HID;
    hid_t space = H5Screate_simple(rank, extent, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    store_checked(creation, type, rank, extent);
    hid_t dataset =
        H5Dcreate2(file->id, name, stored_type(type), space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Pclose(creation);
    H5Sclose(space);
    return dataset;
}

bool hdf5_write(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
                const void *values, Error *error)
{
    hid_t dataset = create_array(file, name, type, rank, dims);
    bool ok = dataset >= 0 &&
              H5Dwrite(dataset, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    ok = hdf5_written(file, name, ok, error);
    if (dataset >= 0)
        H5Dclose(dataset);
    return ok;
}

/* -- Rows -------------------------------------------------------------------------------------- */

struct Hdf5Rows {
    Hdf5File *file;
    char *name;
    hid_t dataset;
    Hdf5Type type;
    int rank;
    int64_t dims[HDF5_MAX_RANK];
};

/* Rows are often read in a random order: chunks that were unpacked once are kept. */
enum { CHUNK_CACHE_SLOTS = 12421, CHUNK_CACHE_BYTES = 64 << 20 };

static Hdf5Rows *new_rows(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                          const int64_t *dims, hid_t dataset)
{
    Hdf5Rows *rows = memory_small(1, sizeof *rows);
    *rows = (Hdf5Rows){
        .file = file, .name = memory_string(name), .dataset = dataset, .type = type, .rank = rank};
    copy_dims(rows->dims, dims, rank);
    return rows;
}

bool hdf5_rows_open(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                    int64_t *dims, Error *error)
{
    *rows = NULL;
    if (!hdf5_expect(file, name, type, rank, dims, error))
        return false;

    /* It was found in this very file: it can be opened again by name, now with a larger cache. */
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, CHUNK_CACHE_SLOTS, CHUNK_CACHE_BYTES, H5D_CHUNK_CACHE_W0_DEFAULT);
    hid_t dataset = H5Dopen2(file->id, name, access);
    bool ok = hdf5_was_read(file, name, dataset, dataset >= 0 ? 0 : -1, error);
    H5Pclose(access);
    if (ok)
        *rows = new_rows(file, name, type, rank, dims, dataset);
    else if (dataset >= 0)
        H5Dclose(dataset);
    return ok;
}

bool hdf5_rows_create(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                      const int64_t *dims, Error *error)
{
    *rows = NULL;
    hid_t dataset = create_array(file, name, type, rank, dims);
    bool ok = hdf5_written(file, name, dataset >= 0, error);
    if (ok)
        *rows = new_rows(file, name, type, rank, dims, dataset);
    else if (dataset >= 0)
        H5Dclose(dataset);
    return ok;
}

/* The spaces in memory and in the file that cover some rows. */
typedef struct RowSpaces {
    hid_t memory;
    hid_t file;
} RowSpaces;

static bool select_rows(const Hdf5Rows *rows, int64_t first, int64_t count, RowSpaces *spaces,
                        Error *error)
{
    if (first < 0 || count < 1 || first > rows->dims[0] - count)
        return error_input(error, "%s: has %lld rows, asked for %lld from row %lld on",
                           hdf5_place(rows->file, rows->name).text, (long long)rows->dims[0],
                           (long long)count, (long long)first);
    hsize_t start[HDF5_MAX_RANK] = {(hsize_t)first};
    hsize_t extent[HDF5_MAX_RANK] = {(hsize_t)count};
    for (int i = 1; i < rows->rank; i++)
        extent[i] = (hsize_t)rows->dims[i];
    spaces->memory = H5Screate_simple(rows->rank, extent, NULL);
    spaces->file = H5Dget_space(rows->dataset);
    H5Sselect_hyperslab(spaces->file, H5S_SELECT_SET, start, NULL, extent, NULL);
    return true;
}

static void close_spaces(RowSpaces spaces)
{
    H5Sclose(spaces.memory);
    H5Sclose(spaces.file);
}

bool hdf5_rows_read(Hdf5Rows *rows, int64_t first, int64_t count, void *values, Error *error)
{
    RowSpaces spaces = {H5I_INVALID_HID, H5I_INVALID_HID};
    if (!select_rows(rows, first, count, &spaces, error))
        return false;
    herr_t status = H5Dread(rows->dataset, memory_type(rows->type), spaces.memory, spaces.file,
                            H5P_DEFAULT, values);
    bool ok = hdf5_was_read(rows->file, rows->name, rows->dataset, status, error);
    close_spaces(spaces);
    return ok;
}

bool hdf5_rows_write(Hdf5Rows *rows, int64_t first, int64_t count, const void *values, Error *error)
{
    RowSpaces spaces = {H5I_INVALID_HID, H5I_INVALID_HID};
    if (!select_rows(rows, first, count, &spaces, error))
        return false;
    herr_t status = H5Dwrite(rows->dataset, memory_type(rows->type), spaces.memory, spaces.file,
                             H5P_DEFAULT, values);
    bool ok = hdf5_written(rows->file, rows->name, status >= 0, error);
    close_spaces(spaces);
    return ok;
}

void hdf5_rows_close(Hdf5Rows *rows)
{
    if (rows == NULL)
        return;
    H5Dclose(rows->dataset);
    memory_free(rows->name);
    memory_free(rows);
}
