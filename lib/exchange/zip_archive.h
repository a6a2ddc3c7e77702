/* The members of a zip archive, one after the other. The one file that knows the library is
 * zip_archive.c. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ZipArchive ZipArchive;

/* Opens an archive at its first member. It must have its directory, which lies at the end. The
 * caller closes *zip. */
bool zip_open(ZipArchive **zip, const char *path, Error *error);
/* NULL is fine. */
void zip_close(ZipArchive *zip);

/* Goes to the next member. *more := false after the last one. */
bool zip_next(ZipArchive *zip, bool *more, Error *error);

/* Of the present member: its name, its index from 0, and the bytes of its contents. The name lives
 * until the next one is asked for. */
const char *zip_name(const ZipArchive *zip);
int64_t zip_index(const ZipArchive *zip);
int64_t zip_size(const ZipArchive *zip);

/* Reads the next `size` bytes of the present member. The last byte comes with a comparison of the
 * checksum. */
bool zip_read(ZipArchive *zip, void *bytes, size_t size, Error *error);
