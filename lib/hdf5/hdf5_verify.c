#include "hdf5/hdf5_verify.h"

#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 16, BLOCK = 1 << 22 }; /* groups in one another; bytes */

static bool has_checksum(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    bool found = hdf5_has_filter(creation, H5Z_FILTER_FLETCHER32) ||
                 H5Pget_layout(creation) == H5D_COMPACT; /* the header's, in our format */
    H5Pclose(creation);
    return found;
}

static bool check_finite(const Hdf5File *file, const char *name, const double *values,
                         int64_t count, Error *error)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return error_input(error, "%s: expected finite numbers, found %g",
                               hdf5_place(file, name).text, values[i]);
    return true;
}

static bool read_rows(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                      Error *error)
{
    int64_t row = 1;
    for (int i = 1; i < rank; i++)
        row *= dims[i];
    if (row == 0 || dims[0] == 0)
        return true;
    const int64_t fit = BLOCK / 8 > row ? BLOCK / 8 / row : 1,
                  block = fit < dims[0] ? fit : dims[0];
    Hdf5Rows *rows = NULL;
    double *values = memory_large((size_t)block, (size_t)row * sizeof *values, name, error);
    bool ok = values && hdf5_rows_open(&rows, file, name, type, rank, dims, error);
    for (int64_t first = 0; ok && first < dims[0]; first += block) {
        const int64_t count = dims[0] - first < block ? dims[0] - first : block;
        ok = hdf5_rows_read(rows, first, count, values, error) &&
             (type != HDF5_FLOAT64 || check_finite(file, name, values, count * row, error));
    }
    hdf5_rows_close(rows);
    memory_free(values);
    return ok;
}

static bool read_numbers(Hdf5File *file, const char *name, Hdf5Type type, Error *error)
{
    int rank;
    int64_t dims[HDF5_MAX_RANK];
    double scalar[1] = {0};
    if (!hdf5_shape(file, name, &rank, dims, error) ||
        !hdf5_expect(file, name, type, rank, dims, error))
        return false;
    if (rank > 0)
        return read_rows(file, name, type, rank, dims, error);
    return hdf5_read(file, name, type, 0, NULL, scalar, error) &&
           (type != HDF5_FLOAT64 || check_finite(file, name, scalar, 1, error));
}

static bool read_string(Hdf5File *file, const char *name, Error *error)
{
    char *text = NULL;
    bool ok = hdf5_read_string(file, name, &text, error);
    memory_free(text);
    return ok;
}

static bool verify_dataset(Hdf5File *file, const char *name, Hdf5Verified *verified, Error *error)
{
    hid_t dataset = hdf5_open_object(file, name, HDF5_DATASET, error);
    if (dataset < 0)
        return false;
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    H5T_class_t class = H5Tget_class(type);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    verified->arrays++;
    verified->bytes += (int64_t)count * (int64_t)H5Tget_size(type);
    verified->unchecked += !has_checksum(dataset);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(dataset);
    if (class == H5T_STRING)
        return read_string(file, name, error);
    return read_numbers(file, name, class == H5T_INTEGER ? HDF5_INT64 : HDF5_FLOAT64, error);
}

static bool verify_group(Hdf5File *file, const char *group, int depth, Hdf5Verified *verified,
                         Error *error)
{
    Hdf5List list;
    if (depth > MAX_DEPTH)
        return error_input(error, "%s: groups lie in one another more than %d deep",
                           hdf5_place(file, group).text, MAX_DEPTH);
    if (!hdf5_list(file, group, &list, error))
        return false;
    bool ok = true;
    for (int i = 0; ok && i < list.count; i++) {
        char *name =
            memory_format("%s/%s", strcmp(group, "/") == 0 ? "" : group, list.entries[i].name);
        if (list.entries[i].kind == HDF5_GROUP)
            ok = verify_group(file, name, depth + 1, verified, error);
        else if (list.entries[i].kind == HDF5_DATASET)
            ok = verify_dataset(file, name, verified, error);
        memory_free(name);
    }
    hdf5_list_free(&list);
    return ok;
}

bool hdf5_verify(Hdf5File *file, Hdf5Verified *verified, Error *error)
{
    *verified = (Hdf5Verified){0};
    return verify_group(file, "/", 0, verified, error);
}
