/* Functions and types that the files of this room share. Only they and the driver include
 * hdf5.h. */
#pragma once

#include "base/atomic_file.h"
#include "hdf5/hdf5_file.h"

#include <hdf5.h>
#include <sys/stat.h>

struct Hdf5File {
    char *path;
    /* H5I_INVALID_HID once closed. */
    hid_t id;
    /* A property list for finding objects: it refuses links to other files and sets
     * found_external_link. */
    hid_t access;
    bool found_external_link;

    /* Of a file that is read: its bytes when it was opened. */
    int64_t size;

    /* Of a file that is written: where it goes, and the errno of the first failure (0: none). */
    bool writing;
    AtomicFile target;
    int write_errno;
    /* Whether it gets the permissions and the time of last writing in `status`, those of its
     * source. */
    bool keeps_status;
    struct stat status;
};

/* "path:/name", for the beginning of a message. */
typedef struct Hdf5Place {
    char text[512];
} Hdf5Place;

Hdf5Place hdf5_place(const Hdf5File *file, const char *name);

/* Why the last HDF5 call failed, in the library's own innermost words. */
typedef struct Hdf5Reason {
    char text[160];
} Hdf5Reason;

Hdf5Reason hdf5_reason(void);

/* Why the last call failed to read the data set or the attribute `id` (negative: it could not be
 * opened), as the end of a line: "cannot be read (...)", or that its checksum is wrong. */
Hdf5Reason hdf5_reason_of_reading(hid_t id);

/* Input errors for a file that is no HDF5 file, and for one that H5Fopen has just failed to open
 * (hdf5_refusal.c). Both return false. */
bool hdf5_is_no_hdf5(const char *path, Error *error);
bool hdf5_cannot_open(const char *path, Error *error);

/* block := the beginning of the file's first block, which is found by its signature; false if there
 * is none. Bytes 0 to 7 are the signature, byte 8 is the version, byte 11 in version 3 the
 * flags. */
enum { HDF5_SUPERBLOCK_BYTES = 12 };
bool hdf5_find_superblock(const char *path, unsigned char block[HDF5_SUPERBLOCK_BYTES]);

/* The kind of file that input_file_check expects. */
extern const char hdf5_expected_file[];

/* hdf5_open without the trial (hdf5_trial.h). */
bool hdf5_open_untried(Hdf5File **file, const char *path, Error *error);

/* fstat of a file that is open for reading; false if the system does not tell. */
bool hdf5_status(const Hdf5File *file, struct stat *status);

/* Input error if a file has become shorter since it was opened for reading. */
bool hdf5_is_whole(const Hdf5File *file, Error *error);

/* Checks the result of a call that read or opened the object `name`: input error if `status` is
 * negative or the file was cut off. `id` is the object's, negative if it could not be opened. */
bool hdf5_was_read(const Hdf5File *file, const char *name, hid_t id, herr_t status, Error *error);

/* Checks that an open data set is complete. Gives its rank and dims [HDF5_MAX_RANK]. */
bool hdf5_check_stored(const Hdf5File *file, const char *name, hid_t dataset, int *rank,
                       int64_t *dims, Error *error);

/* Reads all arrays of a file, of any type, but for those in the object `leave_out` of the root. An
 * input error names the first one that cannot be read. */
bool hdf5_check_all_stored(Hdf5File *file, const char *leave_out, Error *error);

/* Opens the array `name` after all checks of hdf5_expect; close it with H5Oclose. Negative with an
 * error. */
hid_t hdf5_open_array(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                      Error *error);

/* The same with a large cache of chunks that were unpacked; close it with H5Dclose. */
hid_t hdf5_open_cached_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                             int64_t *dims, Error *error);

/* Creates an array that is stored with checksums, and the groups above it; negative if that
 * fails. */
hid_t hdf5_create_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                        const int64_t *dims);

/* HDF5's type of a number in memory. */
hid_t hdf5_memory_type(Hdf5Type type);

/* The rows of an open data set that has passed the checks, read in blocks. */
typedef struct Hdf5Blocks {
    const Hdf5File *file;
    const char *name;
    hid_t dataset;
    /* The type of the numbers in memory. */
    hid_t type;
    int rank;
    /* [rank], rank >= 1 */
    const int64_t *dims;
    /* How many rows to read, from the first on. */
    int64_t rows;
    /* Of memory for a block, unless a row has more. */
    int64_t bytes;
    /* Looks at the numbers of each block; reading ends where it returns false. NULL: reading them
     * is enough. */
    bool (*visit)(void *context, const void *values, int64_t count);
    void *context;
} Hdf5Blocks;

/* False where `visit` returned false, or with an error: a block cannot be read, or there is no
 * memory. */
bool hdf5_read_blocks(const Hdf5Blocks *blocks, Error *error);

/* Whether an open data set can be read as `type`; gives its rank and dims [HDF5_MAX_RANK]. If not,
 * `error` may be unset. */
bool hdf5_check_opened(const Hdf5File *file, const char *name, hid_t dataset, Hdf5Type type,
                       int *rank, int64_t *dims, Error *error);

/* -- How data sets are stored (hdf5_storage.c) ------------------------------------------------- */

/* Checks that an open data set, with items of `item_size` bytes, is stored in this file, complete,
 * and by filters that are read here. A part that was never stored would read as zeros. `place`
 * begins the message of the input error. */
bool hdf5_check_storage(const Hdf5File *file, hid_t dataset, const char *place, size_t item_size,
                        int rank, const int64_t *dims, Error *error);

/* Whether a data set was created with the filter `wanted`; `creation` is its list of creation
 * properties. */
bool hdf5_has_filter(hid_t creation, H5Z_filter_t wanted);

/* Whether the trial has to read all of a data set to know that it can be read. */
bool hdf5_is_read_in_trial(hid_t creation);

/* Opens the object `name` of the given kind; close it with H5Oclose. Negative with an error. */
hid_t hdf5_open_object(Hdf5File *file, const char *name, Hdf5Kind kind, Error *error);

/* Checks the result of a call that wrote the object `name`: run-time error unless `ok` and all
 * writes of this file so far have succeeded. */
bool hdf5_written(Hdf5File *file, const char *name, bool ok, Error *error);

/* Creates the missing groups above the new object `name`, without time stamps. */
bool hdf5_make_groups(Hdf5File *file, const char *name);

/* A stored type in words, for messages: "32-bit floating-point numbers". */
typedef struct Hdf5TypeName {
    char text[64];
} Hdf5TypeName;

Hdf5TypeName hdf5_type_name(hid_t type);
