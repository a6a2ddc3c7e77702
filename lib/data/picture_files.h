/* The pictures of a directory or an archive, one file after another.
 *
 * In a directory the files of all subdirectories come in the byte order of their names
 * ("a/1.png" before "b.png"); in an archive they come as they are stored. Files that are no
 * pictures, by their content and by their name, say so. Hidden ones, whose name or directory
 * begins with a point, and the folder __MACOSX are passed over. Links are followed in
 * directories, but not back into a directory that they lie in; in archives they are passed over.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct PictureFiles PictureFiles;

/* Bytes of the largest file of a picture. */
enum { PICTURE_MAX_BYTES = 1 << 28 };

/* A file that may be a picture. */
typedef struct PictureFile {
    /* Below the directory or in the archive, for memory_free: "cats/1.png". NULL behind the last
     * file. */
    char *name;
    /* [size], for memory_free: its contents; NULL if it is no picture. */
    uint8_t *bytes;
    int64_t size;
    /* What is wrong with a file that cannot be read, to follow its name; "" if nothing. */
    char problem[160];
    /* Whether the system says so, which may change, and not the contents. */
    bool is_unreadable;
    /* Whether the file is a picture, or should be one: its bytes or its name say so. */
    bool is_picture;
} PictureFile;

/* Input error if `path` is neither a directory nor an archive. The caller closes *files, which
 * is NULL after a failure. */
bool picture_files_open(PictureFiles **files, const char *path, Error *error);

/* Goes to the next file that is not hidden. A file of an archive is read at once. Input error if an
 * archive is damaged. */
bool picture_files_next(PictureFiles *files, PictureFile *file, Error *error);

/* Reads a file of a directory, whose name picture_files_next gave. It does nothing for a file of an
 * archive. Several threads may call it at a time. */
void picture_files_load(const PictureFiles *files, PictureFile *file);

/* The same with the first `most` bytes of the file, if it has more; of a file of an archive all
 * of them are there. */
void picture_files_load_begin(const PictureFiles *files, PictureFile *file, int64_t most);

/* Frees the name and the contents. */
void picture_files_forget(PictureFile *file);

/* How much there is to read, and how much was given so far: files of a directory, megabytes of an
 * archive as it is stored. */
int64_t picture_files_total(const PictureFiles *files);
int64_t picture_files_done(const PictureFiles *files);

/* Whether they lie in an archive. */
bool picture_files_are_packed(const PictureFiles *files);

/* A number that tells the state of a directory or an archive: another one where a file was
 * added, removed, renamed or written since. It is made of the names, sizes and times of the
 * files of a directory, and of the size, the time and both ends of an archive. No other file is
 * read. Input error as from picture_files_open. */
bool picture_files_state(const char *path, uint64_t *state, Error *error);

/* NULL is fine. */
void picture_files_close(PictureFiles *files);
