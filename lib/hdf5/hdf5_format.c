/* Reads one attribute, first in a child process (hdf5_trial.h): a damaged file that lies where a
 * training saves must not end the training. */
#include "hdf5/hdf5_format.h"

#include "hdf5/hdf5_internal.h"
#include "hdf5/hdf5_trial.h"

#include <stddef.h>

static bool read_format(const char *path, char **format)
{
    Hdf5File *file = NULL;
    Error unused;
    *format = NULL;
    if (!hdf5_open_untried(&file, path, &unused))
        return false;
    if (!hdf5_attribute_exists(file, "/", "format") ||
        !hdf5_read_attribute_string(file, "/", "format", format, &unused))
        *format = NULL;
    hdf5_close(file);
    return true;
}

static void try_format(void *path)
{
    char *format;
    (void)read_format(path, &format);
}

bool hdf5_format(const char *path, char **format)
{
    Error unused;
    *format = NULL;
    return hdf5_trial(path, HDF5_TRIAL_SECONDS, try_format, (void *)path, &unused) &&
           read_format(path, format);
}
