/* The state of an open file: whether it still has the bytes that it had when it was opened.
 *
 * Another program may cut a file off while it is read here. The library would not notice. */
#include "hdf5/hdf5_internal.h"

/* The status of the open file itself: another file may have its name by now. */
bool hdf5_status(const Hdf5File *file, struct stat *status)
{
    int *fd = NULL;
    return H5Fget_vfd_handle(file->id, H5P_DEFAULT, (void **)&fd) >= 0 && fd != NULL &&
           fstat(*fd, status) == 0;
}

/* Beyond the end of a file the library reads zeros, and checksums do not help: the checksum of
 * zeros is 0. */
bool hdf5_is_whole(const Hdf5File *file, Error *error)
{
    struct stat status;
    if (!hdf5_status(file, &status) || status.st_size >= file->size)
        return true;
    return error_input(error, "%s: was cut off while it was read, from %lld bytes to %lld",
                       file->path, (long long)file->size, (long long)status.st_size);
}
