/* What the parts of the HDF5 layer share (hdf5_file.c, hdf5_array.c, hdf5_text.c, ...). Only these
 * and the driver include hdf5.h. */
#pragma once

#include "base/atomic_file.h"
#include "hdf5/hdf5_file.h"

#include <hdf5.h>
#include <sys/stat.h>

struct Hdf5File {
    char *path;
    hid_t id;     /* H5I_INVALID_HID when closed */
    hid_t access; /* how objects are found: not in other files */
    bool found_external_link;
    int64_t size; /* bytes, of a file that is read */
    bool writing;
    AtomicFile target; /* where a file that is written goes */
    int write_errno;   /* the first failure of writing; 0: none */

    bool keeps_status;  /* a copy: it gets the permissions and the time of last writing */
    struct stat status; /* of its source */
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

/* The same of a call that was to read a data set or an attribute, as the end of a line: "cannot be read (...)", or
 * that its checksum is wrong. An `id` that is negative is neither. */
Hdf5Reason hdf5_reason_of_reading(hid_t id);

/* The error of a file that is no HDF5 file, and of one that H5Fopen has just failed to open (hdf5_refusal.c). Both
 * return false. */
bool hdf5_is_no_hdf5(const char *path, Error *error);
bool hdf5_cannot_open(const char *path, Error *error);

/* Finds the first block of the file `path` by its signature; false if there is none. It reads so many bytes of it: the
 * signature (8 bytes), the version, and up to the flags of version 3 (byte 11). */
enum { HDF5_SUPERBLOCK_BYTES = 12 };
bool hdf5_find_superblock(const char *path, unsigned char block[HDF5_SUPERBLOCK_BYTES]);

/* What input_file_check calls a file of this kind. */
extern const char hdf5_expected_file[];

/* hdf5_open without the trial (hdf5_trial.h). */
bool hdf5_open_untried(Hdf5File **file, const char *path, Error *error);

/* What fstat says of a file that is read. */
bool hdf5_status(const Hdf5File *file, struct stat *status);

/* Whether a file that is read is no shorter than when it was opened. */
bool hdf5_is_whole(const Hdf5File *file, Error *error);

/* After a call that read or opened the object `name`, with its id (negative: not opened) and its status: true if it
 * gave what is in the file. */
bool hdf5_was_read(const Hdf5File *file, const char *name, hid_t id, herr_t status, Error *error);

/* Whether an open data set is as large as it says and all there; its rank and its shape in dims
 * [HDF5_MAX_RANK]. */
bool hdf5_check_stored(const Hdf5File *file, const char *name, hid_t dataset, int *rank,
                       int64_t *dims, Error *error);

/* Whether all arrays of a file can be read, whatever they hold, but for what lies in the object `leave_out` of
 * the root; an input error names the first that can't. */
bool hdf5_check_all_stored(Hdf5File *file, const char *leave_out, Error *error);

/* Opens the array `name` after all checks of hdf5_expect; close it with H5Oclose. Negative with an error. */
hid_t hdf5_open_array(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                      Error *error);

/* The same with a large cache of chunks that were unpacked; close it with H5Dclose. */
hid_t hdf5_open_cached_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                             int64_t *dims, Error *error);

/* Creates an array that is stored with checksums, and the groups above it; negative if that fails. */
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
    /* Looks at the numbers of each block; reading ends where it returns false. NULL: reading them is enough. */
    bool (*visit)(void *context, const void *values, int64_t count);
    void *context;
} Hdf5Blocks;

/* False where `visit` returned false, or with an error: a block cannot be read, or there is no memory. */
bool hdf5_read_blocks(const Hdf5Blocks *blocks, Error *error);

/* Whether an open data set can be read as `type`; its rank and its shape in dims [HDF5_MAX_RANK]. */
bool hdf5_check_opened(const Hdf5File *file, const char *name, hid_t dataset, Hdf5Type type,
                       int *rank, int64_t *dims, Error *error);

/* -- How data sets are stored (hdf5_storage.c) ------------------------------------------------- */

/* Whether an open data set of items of `item_size` bytes is stored in this file, complete, and by way of
 * filters that are read here. A part that was never stored would read as zeros. `place` begins the message. */
bool hdf5_check_storage(const Hdf5File *file, hid_t dataset, const char *place, size_t item_size,
                        int rank, const int64_t *dims, Error *error);

/* Whether what a data set was created with has the filter `wanted`. */
bool hdf5_has_filter(hid_t creation, H5Z_filter_t wanted);

/* Whether the trial reads all of a data set, since nothing less shows whether it can be read. */
bool hdf5_is_read_in_trial(hid_t creation);

/* Opens the object `name` of the given kind; close it with H5Oclose. Negative with an error. */
hid_t hdf5_open_object(Hdf5File *file, const char *name, Hdf5Kind kind, Error *error);

/* After a call that wrote: true if `ok` and nothing has failed to be written so far. */
bool hdf5_written(Hdf5File *file, const char *name, bool ok, Error *error);

/* Creates the groups above the new object `name` that don't exist yet, without time stamps. */
bool hdf5_make_groups(Hdf5File *file, const char *name);

/* What a stored type is, for messages: "32-bit floating-point numbers". */
typedef struct Hdf5TypeName {
    char text[64];
} Hdf5TypeName;

Hdf5TypeName hdf5_type_name(hid_t type);
