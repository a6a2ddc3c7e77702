/* Images for other programs as a directory of PNG files, one each: 000000.png and on.
 *
 * Programs that compute FID read every picture of a directory, so one that holds anything else will not do:
 * it must be new, or empty. The pictures go to a directory beside it, locked as a temporary file is
 * (base/atomic_file.h), which gets the name at the end: it appears whole or not at all. One that a killed program left
 * behind is removed by the next that writes there, if it holds such pictures alone.
 */
#pragma once

#include "base/error.h"

typedef struct PictureDirectory PictureDirectory;

/* Begins the directory `path`, with or without a slash at its end. Input error if that name is taken by anything but
 * an empty directory, or if a PNG can't show so many channels; run-time error if the system refuses. */
bool picture_directory_begin(PictureDirectory **directory, const char *path, int resolution,
                             int channels, Error *error);

/* Writes pictures first .. first + count - 1 of images [count, resolution, resolution, channels]; in a
 * directory `group` in it, if that is not NULL. */
bool picture_directory_add(PictureDirectory *directory, const char *group, int first,
                           const float *images, int count, Error *error);

/* Gives the directory its name. Releases it either way. Where the name has been taken meanwhile the pictures stay
 * in another directory, which the error names. */
bool picture_directory_commit(PictureDirectory *directory, Error *error);

/* Removes what was written. NULL is fine. */
void picture_directory_discard(PictureDirectory *directory);
