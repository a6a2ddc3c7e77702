/* Makes HDF5 files as other programs may write them. It calls HDF5's own functions, because
 * lib/hdf5 cannot write such files. */
#pragma once

#include "hdf5/hdf5_file.h"

#include "tests/expect.h"

#include <hdf5.h>

static inline Hdf5File *open_file(const char *path)
{
    Error error;
    Hdf5File *file;
    assert_ok(hdf5_open(&file, path, &error));
    return file;
}

/* Closes a file and looks whether the layer left any of HDF5's objects open. */
static inline void close_file(Hdf5File *file)
{
    hdf5_close(file);
    ck_assert_int_eq(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static inline hid_t raw_create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

static inline void raw_array(hid_t file, const char *name, hid_t stored, hid_t memory, int rank,
                             const hsize_t *dims, const void *values)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t data = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0);
    if (values != NULL)
        ck_assert(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Sclose(space);
}

static inline hid_t string_type(size_t size, H5T_str_t padding, H5T_cset_t characters)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, padding);
    H5Tset_cset(type, characters);
    return type;
}

/* An attribute of the root; rank 0 is a scalar. */
static inline void raw_attribute(hid_t file, const char *name, hid_t stored, hid_t memory, int rank,
                                 const hsize_t *dims, const void *value)
{
    hid_t space = rank > 0 ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(id >= 0);
    ck_assert(H5Awrite(id, memory, value) >= 0);
    H5Aclose(id);
    H5Sclose(space);
}
