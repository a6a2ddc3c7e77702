/* The pictures of a directory or an archive, one file after another.
 *
 * In a directory the files of all subdirectories come in the byte order of their names ("a/1.png"
 * before "b.png"); in an archive they come as they are stored. Files that are no pictures, by their
 * content and by their name, are passed over and counted. So are hidden ones, whose name or directory
 * begins with a point, and the folder __MACOSX. Links are followed in directories, but not back into a
 * directory that they lie in; in archives they are passed over.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct PictureFiles PictureFiles;

/* Bytes of the largest file of a picture. */
enum { PICTURE_MAX_BYTES = 1 << 28 };

/* A file that is a picture, or should be one: bytes or name say so. */
typedef struct PictureFile {
    /* Below the directory or in the archive, for memory_free: "cats/1.png". NULL behind the last
     * file. */
    char *name;
    /* [size], for memory_free: its contents; NULL if it is no picture. */
    uint8_t *bytes;
    int64_t size;
    /* What is wrong with a file that cannot be read, to follow its name; "" if nothing. */
    char problem[160];
} PictureFile;

/* Input error if `path` is neither a directory nor an archive. The caller closes *files, which is NULL
 * after a failure. */
bool picture_files_open(PictureFiles **files, const char *path, Error *error);

/* Goes to the next picture. Input error if an archive is damaged. */
bool picture_files_next(PictureFiles *files, PictureFile *file, Error *error);

/* How many files were passed over because they are no pictures; *first := the name of the first one,
 * which lives as long as `files`. */
int64_t picture_files_others(const PictureFiles *files, const char **first);

/* NULL is fine. */
void picture_files_close(PictureFiles *files);
