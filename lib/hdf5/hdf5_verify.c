/* Walks through all groups and reads each data set, so that HDF5 compares the checksums and numbers
 * that are not finite are found.
 */
#include "hdf5/hdf5_verify.h"

#include "base/finite.h"
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <string.h>

enum {
    /* Of groups in one another. */
    MAX_DEPTH = 16,
    BLOCK_BYTES = 1 << 22,
};

static bool has_checksum(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    bool found = hdf5_has_filter(creation, H5Z_FILTER_FLETCHER32) ||
                 H5Pget_layout(creation) == H5D_COMPACT; /* in our format a header has a checksum */
    H5Pclose(creation);
    return found;
}

/* The array whose numbers are looked at, for its error. */
typedef struct Looking {
    const Hdf5File *file;
    const char *name;
    Error *error;
} Looking;

static bool are_finite(void *context, const void *values, int64_t count)
{
    const Looking *looking = context;
    const double *numbers = values;
    const size_t found = finite_doubles(numbers, (size_t)count);
    return found == (size_t)count ||
           error_input(looking->error, "%s: expected finite numbers, found %g",
                       hdf5_place(looking->file, looking->name).text, numbers[found]);
}

static bool read_array(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                       Error *error)
{
    const hid_t dataset = hdf5_open_cached_array(file, name, type, rank, dims, error);
    if (dataset < 0)
        return false;
    Looking looking = {file, name, error};
    const Hdf5Blocks blocks = {.file = file,
                               .name = name,
                               .dataset = dataset,
                               .type = hdf5_memory_type(type),
                               .rank = rank,
                               .dims = dims,
                               .rows = dims[0],
                               .bytes = BLOCK_BYTES,
                               .visit = type == HDF5_FLOAT64 ? are_finite : NULL,
                               .context = &looking};
    const bool ok = hdf5_read_blocks(&blocks, error);
    H5Dclose(dataset);
    return ok;
}

static bool read_scalar(Hdf5File *file, const char *name, Hdf5Type type, Error *error)
{
    double value = 0; /* or an integer of the same size */
    Looking looking = {file, name, error};
    return hdf5_read(file, name, type, 0, NULL, &value, error) &&
           (type != HDF5_FLOAT64 || are_finite(&looking, &value, 1));
}

static bool read_numbers(Hdf5File *file, const char *name, Hdf5Type type, Error *error)
{
    int rank;
    int64_t dims[HDF5_MAX_RANK];
    if (!hdf5_shape(file, name, &rank, dims, error))
        return false;
    return rank > 0 ? read_array(file, name, type, rank, dims, error)
                    : read_scalar(file, name, type, error);
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
