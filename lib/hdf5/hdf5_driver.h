/* How HDF5 writes: through a driver of our own, which never tells it of a failure.
 *
 * The HDF5 library can't live with a full disk. Metadata that it fails to write stay dirty in
 * its cache, the file can't be closed, and at exit the library crashes on it (seen with
 * 1.10.8). So our files are written through the driver below: it remembers the first error and
 * from then on takes whatever it is given and drops it. HDF5 closes the file in peace; the
 * program looks at the error, says it in one line and removes the file.
 */
#pragma once

#include <hdf5.h>
#include <stdbool.h>

/* Makes `access`, a file access property list, write to the open descriptor `fd` instead of to a
 * file found by name. The descriptor stays the caller's. `*first_errno` starts as 0 and becomes
 * the errno of the first failure; it must live until HDF5 has closed the file. False only if
 * HDF5 has no memory. */
bool hdf5_driver_use(hid_t access, int fd, int *first_errno);
