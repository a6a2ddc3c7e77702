/* Recognises the files of varhead by their contents, and decides whether a command may replace one.
 *
 * There is one rule for all commands: a file may be replaced by one of the same kind that varhead
 * has written, and an empty file by any. Data sets, labels, recipes, pictures of other programs and
 * results of other commands are never replaced, under any name or link, by any option, since the
 * contents are looked at.
 *
 * Tables are recognised by their first line, HDF5 files by their attribute `format`, pictures,
 * pages and archives by a mark that varhead puts into them. The code that writes such a file takes
 * line, format or mark from here.
 */
#pragma once

#include "base/atomic_file.h"

#include <stddef.h>

typedef enum FileKind {
    FILE_CHECKPOINT,
    FILE_CLASSIFIER,
    /* dp-<variance>.h5 */
    FILE_STEP_COSTS,
    /* The sums of a sweep that was stopped. */
    FILE_SWEEP,
    FILE_BOUND_TERMS,
    FILE_QUALITY_VALUES,
    FILE_SAMPLES,
    FILE_PREDICTIONS,
    /* metrics.csv */
    FILE_LOG,
    FILE_BOUNDS,
    FILE_CALIBRATION,
    FILE_QUALITY,
    FILE_TRUTH,
    /* costs.csv of infer compare. */
    FILE_TIMES,
    /* The points of a chart. */
    FILE_POINTS,
    /* The maps of infer compare, in numbers. */
    FILE_SIGMA,
    FILE_BENCH,
    /* The settings of a picture of infer compare. */
    FILE_NOTE,
    FILE_PAGE,
    /* SVG. */
    FILE_CHART,
    /* PNG. */
    FILE_PICTURE,
    /* .npz. */
    FILE_ARCHIVE,
    /* Decoded pictures. */
    FILE_DATA_CACHE,
    FILE_KINDS
} FileKind;

/* Whether `path` may become a file of this kind: it does not exist, is empty, or is of the same
 * kind. If not, the input error says what it is. A checkpoint may also replace an HDF5 file that
 * cannot be read. */
bool file_kind_allows(const char *path, int kind, Error *error);

/* The same as a rule for writing. */
AtomicRule file_kind_rule(FileKind kind);

/* Removes the file if it is of that kind. */
void file_kind_remove(const char *path, FileKind kind);

/* "the log of a training". */
const char *file_kind_name(FileKind kind);

/* The attribute `format` of an HDF5 file of the kind; NULL for others. */
const char *file_kind_format(FileKind kind);

/* The beginning of a text of the kind, for a table its first line with the newline; NULL for
 * others. */
const char *file_kind_beginning(FileKind kind);

/* The end of a chart, or the text before the last record (22 bytes) of an archive; NULL for
 * others. */
const char *file_kind_ending(FileKind kind);

/* A copy of the PNG file data[*size], made by a library, with the mark of FILE_PICTURE. Caller
 * frees. */
unsigned char *file_kind_mark_png(const unsigned char *data, size_t *size);
