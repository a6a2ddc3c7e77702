/* HDF5 files: the one thin layer between varhead and the HDF5 library.
 *
 * Checkpoints, data sets, noise of other programs and samples all go through here, so that all are
 * checked the same way. A file may come from anywhere. Before anything is allocated or read, these
 * checks are made: the object is a data set of this very file, its type is one that the reader
 * accepts, its shape is the expected one, and the file is long enough to hold it. Every failure is
 * one line with the file, the data set, the expected value and the one found:
 *
 *     run/stage1.h5:/trunk/conv_in.weight: expected shape [64, 1, 3, 3], found [32, 1, 3, 3]
 *
 *     Hdf5File *file;
 *     int64_t count = HDF5_ANY;
 *     if (!hdf5_open(&file, "a.h5", error) ||
 *         !hdf5_expect(file, "/x", HDF5_FLOAT32, 1, &count, error))         how many?
 *         ...
 *     hdf5_read(file, "/x", HDF5_FLOAT32, 1, &count, values, error);
 *     hdf5_close(file);
 *
 * Names of objects are paths from the root ("/heads/sn/conv_out.bias"); the first slash may be left
 * out. Links within the file work; links to other files are refused.
 *
 * A file that is written appears under its name when it is committed, complete, or not at all
 * (base/atomic_file.h). Equal contents make equal bytes: nothing in the file depends on the time.
 * Only one thread may use this room at a time.
 */
#pragma once

#include "base/atomic_file.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Hdf5File Hdf5File;

/* Whether the file `path` has the signature of an HDF5 file; it may be damaged behind it. False
 * where it cannot be read. */
bool hdf5_detects(const char *path);

/* Opens `path` for reading. Input error if it isn't a complete HDF5 file. */
bool hdf5_open(Hdf5File **file, const char *path, Error *error);

/* Begins a new file, to be committed to `path`. A file of that name stays until then. Input error
 * if the rule forbids to replace it (io/file_kind.h); hdf5_create replaces any file. */
bool hdf5_create_as(Hdf5File **file, const char *path, AtomicRule rule, Error *error);
bool hdf5_create(Hdf5File **file, const char *path, Error *error);

/* Begins a new file that will replace `source`, a file open for reading. It gets all objects of the
 * source, bit for bit, but for the object `leave_out` of the root, and keeps the source's
 * permissions and its time of last writing, since its contents are no newer. Damaged data are not
 * copied: an input error names the data set. */
bool hdf5_create_copy(Hdf5File **file, Hdf5File *source, const char *leave_out, Error *error);

/* Reads everything that hdf5_create_copy would copy, and reports the same errors. */
bool hdf5_check_copy(Hdf5File *source, const char *leave_out, Error *error);

/* Puts a created file in place. After a failure (run-time error: disk full, ...) an older file of
 * that name is as it was. Releases `file` either way. */
bool hdf5_commit(Hdf5File *file, Error *error);

/* The same for a copy; its source must still be open. If another file has got the source's name
 * meanwhile, that file stays, *overtaken becomes true, and the error is a run-time error. */
bool hdf5_commit_copy(Hdf5File *file, bool *overtaken, Error *error);

/* Releases a file that was read, or gives up a file that was created. NULL is fine. */
void hdf5_close(Hdf5File *file);

/* The path given at opening. Lives as long as the file. */
const char *hdf5_path(const Hdf5File *file);

/* -- Objects ----------------------------------------------------------------------------------- */

typedef enum Hdf5Kind { HDF5_DATASET, HDF5_GROUP, HDF5_OTHER } Hdf5Kind;

/* The members of a group, one level deep, sorted by name. */
typedef struct Hdf5List {
    int count;
    struct Hdf5Entry {
        char *name;
        Hdf5Kind kind;
    } * entries;
} Hdf5List;

bool hdf5_list(Hdf5File *file, const char *group, Hdf5List *list, Error *error);
void hdf5_list_free(Hdf5List *list);

/* Whether there is a readable object of that name and kind. */
bool hdf5_exists(Hdf5File *file, const char *name, Hdf5Kind kind);

/* -- Arrays ------------------------------------------------------------------------------------ */

/* Types of elements in memory. A floating-point type accepts stored floating-point numbers of any
 * width, HDF5_INT64 integers of any width, HDF5_UINT8 unsigned bytes only, each in either byte
 * order. Nothing else converts: an array of integers in the place of numbers in [-1, 1] is a
 * mistake. */
typedef enum Hdf5Type { HDF5_FLOAT32, HDF5_FLOAT64, HDF5_INT64, HDF5_UINT8 } Hdf5Type;

enum {
    HDF5_MAX_RANK = 8,
    /* In an expected shape: any length. hdf5_expect replaces it by the length found. */
    HDF5_ANY = -1,
};

/* Checks that `name` is a complete array of shape dims[rank] that can be read as `type`. Entries
 * HDF5_ANY of `dims` become the lengths found. The file then holds that many elements, so they can
 * be allocated. rank 0 is a scalar. */
bool hdf5_expect(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                 Error *error);

/* dims [HDF5_MAX_RANK] := the shape of the array `name`, of any type, and *rank := the number of
 * its axes. */
bool hdf5_shape(Hdf5File *file, const char *name, int *rank, int64_t *dims, Error *error);

/* A shape, for messages: "[64, 1, 3, 3]"; HDF5_ANY becomes "any". */
typedef struct Hdf5ShapeText {
    char text[192];
} Hdf5ShapeText;

Hdf5ShapeText hdf5_shape_text(int rank, const int64_t *dims);

/* Reads the array `name` to `values`. Its shape must be exactly dims[rank]; hdf5_expect's checks
 * are made first. */
bool hdf5_read(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
               void *values, Error *error);

/* Writes a new array; groups in its name are created as needed. */
bool hdf5_write(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
                const void *values, Error *error);

/* -- Rows of arrays too large to hold ---------------------------------------------------------- */

/* An array opened to be read or written along its first axis. Close it before its file. */
typedef struct Hdf5Rows Hdf5Rows;

/* Opens an array for reading after the checks of hdf5_expect; rank >= 1. Chunks that were unpacked
 * stay in a cache. */
bool hdf5_rows_open(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                    int64_t *dims, Error *error);

/* A new array dims[rank], to be filled in by hdf5_rows_write. */
bool hdf5_rows_create(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                      const int64_t *dims, Error *error);

/* Reads or writes the rows first .. first + count - 1. Input error if the array has no such
 * rows. */
bool hdf5_rows_read(Hdf5Rows *rows, int64_t first, int64_t count, void *values, Error *error);
bool hdf5_rows_write(Hdf5Rows *rows, int64_t first, int64_t count, const void *values,
                     Error *error);

/* NULL is fine. */
void hdf5_rows_close(Hdf5Rows *rows);

/* -- Strings and attributes -------------------------------------------------------------------- */

/* Bytes of the longest string that is read. */
enum { HDF5_STRING_LIMIT = 1 << 20 };

/* A string in a data set of one element. It may be stored with a fixed length (with or without a
 * closing zero byte) or a variable one, as ASCII or UTF-8. The caller frees *text with
 * memory_free. */
bool hdf5_read_string(Hdf5File *file, const char *name, char **text, Error *error);
bool hdf5_write_string(Hdf5File *file, const char *name, const char *text, Error *error);

/* Attributes of the object `name` ("/" for the file): single numbers of any width, strings as
 * above. Input error if the attribute is missing. */
bool hdf5_attribute_exists(Hdf5File *file, const char *name, const char *attribute);
bool hdf5_read_attribute_int(Hdf5File *file, const char *name, const char *attribute,
                             int64_t *value, Error *error);
bool hdf5_read_attribute_double(Hdf5File *file, const char *name, const char *attribute,
                                double *value, Error *error);
bool hdf5_read_attribute_string(Hdf5File *file, const char *name, const char *attribute,
                                char **text, Error *error);

/* New attributes of an object that exists; numbers are stored in 64 bits. */
bool hdf5_write_attribute_int(Hdf5File *file, const char *name, const char *attribute,
                              int64_t value, Error *error);
bool hdf5_write_attribute_double(Hdf5File *file, const char *name, const char *attribute,
                                 double value, Error *error);
bool hdf5_write_attribute_string(Hdf5File *file, const char *name, const char *attribute,
                                 const char *text, Error *error);
