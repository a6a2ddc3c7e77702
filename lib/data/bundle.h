/* Files in an archive, one after another: tar, plain or compressed by gzip, and zip.
 *
 *     Bundle *bundle;
 *     BundleFile file;
 *     bool ok = bundle_open(&bundle, "pictures.tar", error);
 *     while (ok && (ok = bundle_next(bundle, &file, error)) && file.name)
 *         ok = bundle_read(bundle, bytes, size, &got, error);
 *     bundle_close(bundle);
 *
 * The files are unpacked into memory as they are read, and nothing is written to disk. A bundle is
 * for one thread at a time.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Bundle Bundle;

typedef struct BundleFile {
    /* With its directories: "cats/1.png", also where "./cats/../cats//1.png" is stored. NULL behind
     * the last file. The text lives until the next call of bundle_next. */
    const char *name;
    /* A link, to a file elsewhere in the archive or outside. It has no contents. */
    bool is_link;
    /* Bytes, as the archive announces them; -1 if it does not. The contents may have fewer or
     * more. */
    int64_t size;
} BundleFile;

/* Whether the file `path` is an archive, by its content. False where it cannot be read. */
bool bundle_detects(const char *path);

/* Input error if `path` is no archive. The caller closes *bundle, which is NULL after a failure. */
bool bundle_open(Bundle **bundle, const char *path, Error *error);

/* Goes to the next regular file or link. Directories and devices are passed over. Several tars one
 * behind the other are read as one. Input error if the archive is damaged, or ends without its end
 * mark. */
bool bundle_next(Bundle *bundle, BundleFile *file, Error *error);

/* Reads the next *got bytes of the file: `size`, or fewer where it ends. Input error if the archive is
 * damaged or encrypted. */
bool bundle_read(Bundle *bundle, uint8_t *bytes, int64_t size, int64_t *got, Error *error);

/* Bytes of the archive, as it is stored, that were read so far. */
int64_t bundle_position(const Bundle *bundle);

/* NULL is fine. */
void bundle_close(Bundle *bundle);
