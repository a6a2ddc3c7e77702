/* Reads a whole file to find out whether it is damaged.
 *
 * In a file that varhead wrote every number has a checksum (fletcher32 of its chunk, or the
 * checksum of a header), which HDF5 compares when the number is read. Files of other programs may
 * have none.
 */
#pragma once

#include "hdf5/hdf5_file.h"

typedef struct Hdf5Verified {
    /* Data sets, strings among them. */
    int64_t arrays;
    /* Bytes of their numbers, in the types of the file. */
    int64_t bytes;
    /* Data sets without a checksum. */
    int64_t unchecked;
} Hdf5Verified;

/* Reads every data set. An input error names the first one that cannot be read or has a number that
 * is not finite. */
bool hdf5_verify(Hdf5File *file, Hdf5Verified *verified, Error *error);
