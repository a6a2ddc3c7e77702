/* The checks before an array is read: that it is a data set of a type and a shape that the reader
 * expects, and that the file holds all of it.
 *
 * Every function that reads an array opens it here. hdf5_storage.c looks at how the numbers are
 * stored.
 */
#include "hdf5/hdf5_internal.h"

#include <stdio.h>

/* -- Types ------------------------------------------------------------------------------------- */

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

/* dims [HDF5_MAX_RANK] := the shape of an open data set. */
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
    for (int i = 0; i < rank; i++)
        dims[i] = found[i];
    return true;
}

/* -- Opening ----------------------------------------------------------------------------------- */

hid_t hdf5_open_array(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
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

bool hdf5_expect(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                 Error *error)
{
    hid_t dataset = hdf5_open_array(file, name, type, rank, dims, error);
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
