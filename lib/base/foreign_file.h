/* Recognises unexpected files by their first bytes, for error messages.
 *
 * A failed download leaves a web page under the name of a data set, and a checkout without Git LFS
 * leaves a pointer. "Is no HDF5 file" is true of each and helps with none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Text to follow "is ": "an HTML page (did the download go wrong?)"; "" if the kind is not
 * known. */
typedef struct ForeignKind {
    char text[160];
} ForeignKind;

/* How many of the first bytes are looked at. */
enum { FOREIGN_KIND_BYTES = 512 };

/* The kind of a file that begins with these bytes. */
ForeignKind foreign_kind_of_bytes(const uint8_t *bytes, size_t size);

/* The kind of the file `path`. A file compressed by gzip is looked at unpacked; of an unknown text
 * the beginning is quoted. */
ForeignKind foreign_kind_of(const char *path);
