/* Opens a file that may come from anywhere: it is tried out in a child process first
 * (hdf5_trial.h). */
#include "base/input_file.h"
#include "hdf5/hdf5_file.h"
#include "hdf5/hdf5_internal.h"
#include "hdf5/hdf5_trial.h"

bool hdf5_open(Hdf5File **result, const char *path, Error *error)
{
    int64_t size = 0;
    *result = NULL;
    return input_file_check(path, hdf5_expected_file, &size, error) &&
           hdf5_trial(path, HDF5_TRIAL_SECONDS, hdf5_trial_read, (void *)path, error) &&
           hdf5_open_untried(result, path, error);
}
