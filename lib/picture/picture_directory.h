/* Writes images as a directory of PNG files, one each: 000000.png, 000001.png, ...
 *
 * Programs that compute FID read every picture of a directory, so it must be new or empty. The
 * pictures go to a temporary directory beside it, locked like a temporary file
 * (base/atomic_file.h), which gets the name at the end: the directory appears whole or not at all.
 * A temporary that a killed program left behind is removed by the next program that writes there,
 * if it holds nothing but such pictures.
 */
#pragma once

#include "base/error.h"

typedef struct PictureDirectory PictureDirectory;

/* Begins the directory `path`, with or without a slash at its end. Input error if the name belongs
 * to anything but an empty directory, or if a PNG cannot show that many channels; run-time error if
 * the system refuses. */
bool picture_directory_begin(PictureDirectory **directory, const char *path, int resolution,
                             int channels, Error *error);

/* Writes images [count, resolution, resolution, channels] as pictures first .. first + count - 1,
 * in the directory `group` inside the directory, unless that is NULL. */
bool picture_directory_add(PictureDirectory *directory, const char *group, int first,
                           const float *images, int count, Error *error);

/* Gives the directory its name. Releases it either way. If the name has been taken meanwhile, the
 * pictures stay in another directory, which the error names. */
bool picture_directory_commit(PictureDirectory *directory, Error *error);

/* Removes the pictures written so far. NULL is fine. */
void picture_directory_discard(PictureDirectory *directory);
