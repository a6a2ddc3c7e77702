/* A driver through which HDF5 writes, and which never reports a failure to it.
 *
 * The HDF5 library cannot handle a full disk. Metadata that it fails to write stay in its cache,
 * the file cannot be closed, and the library crashes at exit (seen with 1.10.8). So our files are
 * written through this driver. It remembers the first error and from then on drops all data. HDF5
 * closes the file without trouble; then the program reports the error in one line and removes the
 * file.
 */
#pragma once

#include <hdf5.h>
#include <stdbool.h>

/* Makes `access`, a file access property list, write to the open descriptor `fd` instead of to a
 * file found by name. The descriptor stays the caller's. *first_errno must be 0 at first and live
 * until HDF5 has closed the file; it becomes the errno of the first failure. False only if HDF5 has
 * no memory. */
bool hdf5_driver_use(hid_t access, int fd, int *first_errno);
