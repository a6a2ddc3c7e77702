/* What a file is that is not what was expected, told by its first bytes.
 *
 * A download that went wrong leaves a web page under the name of a data set, a checkout without Git LFS leaves a
 * pointer, and a name says little about what another program wrote. "Is no HDF5 file" is true of all of
 * them, and helps with none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* To follow "is ": "an HTML page (did the download go wrong?)"; "" where nothing is known. */
typedef struct ForeignKind {
    char text[160];
} ForeignKind;

enum { FOREIGN_KIND_BYTES = 512 }; /* as many of the first bytes as are looked at */

/* What begins with these bytes. */
ForeignKind foreign_kind_of_bytes(const uint8_t *bytes, size_t size);

/* What the file `path` is. Of what is compressed by gzip, what it is when unpacked; of any other text, how it begins. */
ForeignKind foreign_kind_of(const char *path);
