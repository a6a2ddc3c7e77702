/* Reading a whole file to know that it can be read.
 *
 * What varhead writes has a checksum for every number (fletcher32 of each chunk, or the header's own), and
 * HDF5 compares it when the number is read. What other programs wrote may have none.
 */
#pragma once

#include "hdf5/hdf5_file.h"

typedef struct Hdf5Verified {
    int64_t arrays;    /* data sets, strings among them */
    int64_t bytes;     /* of their numbers, in the file's types */
    int64_t unchecked; /* data sets that have no checksum */
} Hdf5Verified;

/* Reads every data set. An input error names the first that can't be read, or has a number that is not
 * finite. */
bool hdf5_verify(Hdf5File *file, Hdf5Verified *verified, Error *error);
