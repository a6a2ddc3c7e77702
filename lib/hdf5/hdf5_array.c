/* Arrays as a whole: how they are stored, writing, reading.
 *
 * Everything that is written has a checksum and no time stamp. hdf5_check.c makes the checks before
 * reading, hdf5_rows.c reads and writes a part.
 */
#include "hdf5/hdf5_internal.h"

/* -- Types ------------------------------------------------------------------------------------- */

hid_t hdf5_memory_type(Hdf5Type type)
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

/* -- Reading ----------------------------------------------------------------------------------- */

bool hdf5_read(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
               void *values, Error *error)
{
    int64_t expected[HDF5_MAX_RANK];
    for (int i = 0; i < rank; i++) /* a scalar has no dims */
        expected[i] = dims[i];
    hid_t dataset = hdf5_open_array(file, name, type, rank, expected, error);
    if (dataset < 0)
        return false;
    herr_t status = H5Dread(dataset, hdf5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    bool ok = hdf5_was_read(file, name, dataset, status, error);
    H5Oclose(dataset);
    return ok;
}

/* -- Writing ----------------------------------------------------------------------------------- */

enum {
    /* Bytes of the largest array that is stored in the header of its object, whose checksum HDF5
     * keeps. */
    COMPACT_BYTES = 8192,
    /* Bytes of a chunk of the others, unless a row has more. Each has a checksum, by the filter
     * fletcher32. */
    CHUNK_BYTES = 1 << 20,
};

/* Chooses how to store an array so that every number has a checksum. Chunks have the same number of
 * rows but for the last, so that little of it is filled up. HDF5 is asked to fill: it would write
 * whatever lies in memory there, and equal contents must make equal bytes. */

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

hid_t hdf5_create_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
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
    hid_t dataset = hdf5_create_array(file, name, type, rank, dims);
    bool ok = dataset >= 0 &&
              H5Dwrite(dataset, hdf5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    ok = hdf5_written(file, name, ok, error);
    if (dataset >= 0)
        H5Dclose(dataset);
    return ok;
}
