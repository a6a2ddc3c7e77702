/* HDF5 files: the one thin layer between varhead and the HDF5 library.
 *
 * Checkpoints, data sets, noise of other programs, samples: all go through here, so that all
 * are checked the same way. A file may come from anywhere. Before anything is allocated or read
 * it is known that the object is a data set of this very file, that its type is one the reader
 * means, that its shape is the expected one, and that the file is long enough to hold it.
 * Every failure is one line with the file and the data set, what was expected and what was found:
 *
 *     run/stage1.h5:/trunk/conv_in.weight: expected shape [64, 1, 3, 3], found [32, 1, 3, 3]
 *
 * Names of objects are paths from the root, with or without the slash before them
 * ("/heads/sn/conv_out.bias"). Links within the file work; links to other files are refused.
 *
 * A file that is written appears under its name when it is committed, complete, or not at all
 * (base/atomic_file.h). Equal contents make equal bytes: nothing in it depends on the time.
 */
#pragma once

#include "base/atomic_file.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Hdf5File Hdf5File;

/* Whether the file `path` has the signature of an HDF5 file; it may be damaged behind it. False where it cannot be read. */
bool hdf5_detects(const char *path);

/* Opens `path` for reading. Input error if it isn't a complete HDF5 file. */
bool hdf5_open(Hdf5File **file, const char *path, Error *error);

/* Begins a new file, to be committed to `path`; what has this name stays until then, and if the rule does not
 * allow to replace it (io/file_kind.h). hdf5_create replaces any file. */
bool hdf5_create_as(Hdf5File **file, const char *path, AtomicRule rule, Error *error);
bool hdf5_create(Hdf5File **file, const char *path, Error *error);

/* Begins a new file in the place of `source`, a file open for reading, with everything that it holds
 * but the object `leave_out` of its root, stored bit for bit as it was. The new file will have the
 * permissions of the old one and its time of last writing: nothing that was in it is any newer. What is
 * damaged is not copied: an input error names the data set. */
bool hdf5_create_copy(Hdf5File **file, Hdf5File *source, const char *leave_out, Error *error);

/* Reads what hdf5_create_copy would copy, and says what it would. */
bool hdf5_check_copy(Hdf5File *source, const char *leave_out, Error *error);

/* Puts a created file in place. On failure (run-time error: disk full, ...) what had the name
 * before is as it was. Releases `file` either way. */
bool hdf5_commit(Hdf5File *file, Error *error);

/* The same for a copy whose source is still open. Where another file has the source's name by now, that one stays,
 * *overtaken becomes true, and the error is a run-time error. */
bool hdf5_commit_copy(Hdf5File *file, bool *overtaken, Error *error);

/* Releases a file: one that was read, or one that was created and is given up. NULL is fine. */
void hdf5_close(Hdf5File *file);

/* The path given at opening. */
const char *hdf5_path(const Hdf5File *file);

/* -- Objects ----------------------------------------------------------------------------------- */

typedef enum Hdf5Kind { HDF5_DATASET, HDF5_GROUP, HDF5_OTHER } Hdf5Kind;

/* What a group holds, one level deep, sorted by name. */
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

/* Element types in memory, and what stored types each accepts:
 * floating-point from floating-point of any width, integers from integers of any width, bytes
 * from bytes only. An array of integers where numbers in [-1, 1] are meant is a mistake, so
 * nothing else converts. Either byte order is fine. */
typedef enum Hdf5Type { HDF5_FLOAT32, HDF5_FLOAT64, HDF5_INT64, HDF5_UINT8 } Hdf5Type;

enum {
    HDF5_MAX_RANK = 8,
    HDF5_ANY = -1, /* in an expected shape: any length; hdf5_expect puts the found one there */
};

/* Checks that `name` is an array that can be read as `type`, of shape dims[rank], whole. Entries
 * HDF5_ANY of `dims` become what was found, and the file is known to hold that many elements:
 * it is safe to allocate them. rank 0 is a scalar. */
bool hdf5_expect(Hdf5File *file, const char *name, Hdf5Type type, int rank, int64_t *dims,
                 Error *error);

/* The rank of the array `name` and its shape in dims [HDF5_MAX_RANK], whatever its type. */
bool hdf5_shape(Hdf5File *file, const char *name, int *rank, int64_t *dims, Error *error);

/* A shape, for messages: "[64, 1, 3, 3]"; a length that may be anything is "any". */
typedef struct Hdf5ShapeText {
    char text[192];
} Hdf5ShapeText;

Hdf5ShapeText hdf5_shape_text(int rank, const int64_t *dims);

/* Reads the array `name`, of exactly the shape dims[rank], to `values`, after the checks of
 * hdf5_expect. */
bool hdf5_read(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
               void *values, Error *error);

/* Writes a new array; groups in its name are created as needed. */
bool hdf5_write(Hdf5File *file, const char *name, Hdf5Type type, int rank, const int64_t *dims,
                const void *values, Error *error);

/* -- Rows of arrays too large to hold ---------------------------------------------------------- */

/* An array opened to be read or written along its first axis. Close it before its file. */
typedef struct Hdf5Rows Hdf5Rows;

/* As hdf5_expect; rank >= 1. Compressed chunks are kept for a while after their first use. */
bool hdf5_rows_open(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                    int64_t *dims, Error *error);

/* A new array dims[rank], to be filled in by hdf5_rows_write. */
bool hdf5_rows_create(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                      const int64_t *dims, Error *error);

/* Reads or writes the rows first .. first + count - 1. Rows outside the array are refused. */
bool hdf5_rows_read(Hdf5Rows *rows, int64_t first, int64_t count, void *values, Error *error);
bool hdf5_rows_write(Hdf5Rows *rows, int64_t first, int64_t count, const void *values,
                     Error *error);

/* NULL is fine. */
void hdf5_rows_close(Hdf5Rows *rows);

/* -- Strings and attributes -------------------------------------------------------------------- */

enum { HDF5_STRING_LIMIT = 1 << 20 }; /* bytes; a longer string is an error */

/* A scalar string, stored with a fixed length (closing zero byte or not) or a variable one, as
 * ASCII or UTF-8; an array of one string will do. The caller frees it with memory_free. */
bool hdf5_read_string(Hdf5File *file, const char *name, char **text, Error *error);
bool hdf5_write_string(Hdf5File *file, const char *name, const char *text, Error *error);

/* Attributes of the object `name` ("/" is the file's own): single numbers of any width, strings
 * as above. A missing one is an error. */
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
