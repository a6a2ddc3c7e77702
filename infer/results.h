/* The files of a command's results: a table as CSV, and files beside it, named after the table.
 *
 *     Results r = {.count = 3, .files = {{".csv", FILE_BOUNDS, NULL}, ...}};
 *     results_choose(&r, out, network, "nll.csv");        sets their paths
 *     results_check(&r, &inputs, error)                   whether they can be written
 *     ... r.files[0].path ...
 *     results_free(&r);
 *
 * The settings of a table are a text of everything that its numbers depend on. They are stored
 * beside it, so that a later command knows whether it can use the table (infer compare).
 */
#pragma once

#include "engine/dtype.h"
#include "hdf5/hdf5_file.h"
#include "inference/network.h"
#include "io/output.h"

enum { RESULTS_MAX_FILES = 4 };

typedef struct ResultFile {
    /* It takes the place of the table's ".csv": "-calibration.csv". */
    const char *ending;
    FileKind kind;
    /* NULL: the file is not written. */
    char *path;
} ResultFile;

/* files[0] is the table. */
typedef struct Results {
    ResultFile files[RESULTS_MAX_FILES];
    int count;
} Results;

/* Sets the paths. The table is `out`, or (NULL) the file `name` in the run directory. Without
 * either all paths stay NULL, and the results are only printed. */
void results_choose(Results *results, const char *out, const Network *network, const char *name);

/* output_check for every file. */
bool results_check(const Results *results, const OutputInputs *inputs, Error *error);

/* Whether the results go to files at all. */
bool results_are_kept(const Results *results);

void results_free(Results *results);

/* "network 0123456789abcdef, seed 1234, f32": every result depends on these. `network` is a
 * network_identity; of `options` the arithmetic counts. A command adds the options that
 * differ from their defaults, as ", clip-cov off"; results with the same text can be compared.
 * Caller frees. */
char *settings_begin(uint64_t network, uint64_t seed, const NetworkOptions *options);
void settings_add(char **settings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The fingerprint of the images that results were measured on (dataset_fingerprint) is the attribute
 * `images` of their HDF5 file, since a file of images may get other contents. The second function says
 * whether a file has this one. */
bool results_write_images(Hdf5File *file, uint64_t print, Error *error);
bool results_has_images(Hdf5File *file, uint64_t print);
