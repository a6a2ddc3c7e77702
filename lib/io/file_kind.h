/* What a file is, by what it holds, and whether a command may write in its place.
 *
 * The one rule of all commands: a file may be replaced by one of the same kind that varhead has written, and an
 * empty file by any. Data sets, labels, recipes, pictures of other programs, and what another command has written are never
 * replaced, whatever option names them, by whatever name or link: it is the content that is looked at.
 *
 * Tables are known by their first line, HDF5 files by their attribute `format`, pictures, pages and archives by a mark
 * that varhead puts into them. Whoever writes such a file takes line, format or mark from here.
 */
#pragma once

#include "base/atomic_file.h"

#include <stddef.h>

typedef enum FileKind {
    FILE_CHECKPOINT,
    FILE_CLASSIFIER,
    FILE_STEP_COSTS, /* dp-<variance>.h5 */
    FILE_SWEEP,      /* sums of a sweep that was stopped */
    FILE_BOUND_TERMS,
    FILE_QUALITY_VALUES,
    FILE_SAMPLES,
    FILE_PREDICTIONS,
    FILE_LOG, /* metrics.csv */
    FILE_BOUNDS,
    FILE_CALIBRATION,
    FILE_QUALITY,
    FILE_TRUTH,
    FILE_TIMES,  /* costs.csv of infer compare */
    FILE_POINTS, /* of a chart */
    FILE_SIGMA,  /* of the maps of infer compare */
    FILE_BENCH,
    FILE_NOTE, /* what a picture of infer compare was drawn of */
    FILE_PAGE,
    FILE_CHART,   /* SVG */
    FILE_PICTURE, /* PNG */
    FILE_ARCHIVE, /* .npz */
    FILE_KINDS
} FileKind;

/* Whether `path` may become a file of this kind: nothing is there, or an empty file, or one of the same kind. If
 * not, an input error says what is there. A checkpoint may also replace an HDF5 file that can't be read. */
bool file_kind_allows(const char *path, int kind, Error *error);

/* The same as a rule for writing. */
AtomicRule file_kind_rule(FileKind kind);

/* Removes the file if it is of that kind. */
void file_kind_remove(const char *path, FileKind kind);

/* "the log of a training". */
const char *file_kind_name(FileKind kind);

/* What an HDF5 file of the kind has in its attribute `format`. */
const char *file_kind_format(FileKind kind);

/* What a text of the kind begins with: of a table its first line, with the newline. */
const char *file_kind_beginning(FileKind kind);

/* What a chart ends with, and an archive before its last record of 22 bytes. */
const char *file_kind_ending(FileKind kind);

/* A copy of the PNG file data[*size], made by a library, with the mark of FILE_PICTURE. Caller frees. */
unsigned char *file_kind_mark_png(const unsigned char *data, size_t *size);
