/* A data format: how images of one kind are recognised, opened, read and labelled.
 *
 * Shared by dataset.c, labels.c and the formats; others use data/dataset.h. A format is a file
 * lib/data/dataset_<name>.c, which defines `const DatasetFormat dataset_<name>`, and a line in the
 * list DATA_FORMATS of config/data_format.h. The simplest is dataset_idx.c.
 */
#pragma once

#include "data/dataset.h"

typedef struct DatasetFormat DatasetFormat;

/* An open data set. Before `open` is called, everything is filled in but the numbers of images,
 * `chosen` and `state`. */
struct Dataset {
    const DatasetFormat *format;
    const DataFormatFacts *facts;
    DatasetSplit split;
    /* Of the caller, during `open` alone. */
    const Config *config;
    /* data.train or data.test, or data.train for a data.test of "auto"; "" where the format has no
     * files. */
    char *path;
    /* For messages: the path, "PATH, held out" or the like, or "the mixture". */
    char *name;
    int resolution, channels;
    /* data.floats, data.resize, data.background and data.on_broken. */
    DataFloats floats;
    DataResize resize;
    DataBackground background;
    OnBroken on_broken;
    /* data.cache and data.cache_limit. */
    DataCache cache;
    double cache_limit;
    /* resolution * resolution * channels. */
    size_t image_size;
    /* Images in the files. */
    int64_t stored;
    /* Images of the data set: all stored ones, or those that `chosen` lists. */
    int64_t count;
    /* [count]: the stored images that are images 0, 1, ... of the data set, ascending; NULL: all. */
    uint32_t *chosen;
    /* Belongs to the format. */
    void *state;
    /* [stored, image_size], a part of `state`: all stored images, where the format reads them wholly
     * when it opens; else NULL. */
    const uint8_t *pixels;
    /* [capacity, image_size]: images on their way from `read_bytes`. */
    uint8_t *bytes;
    /* [capacity]: their indices among the stored images. */
    int64_t *indices;
    int capacity;
};

/* Labels as a file has them, before their range is checked. */
typedef struct RawLabels {
    /* [count], for memory_free. */
    int64_t *values;
    int64_t count;
    /* [names_count]: the names of classes 0, 1, ..., for memory_free; none where they are not
     * known. */
    char **names;
    int names_count;
} RawLabels;

/* Appends a copy of the name. */
void raw_labels_name(RawLabels *labels, const char *name);

void raw_labels_free(RawLabels *labels);

/* bytes [n, image_size] := the stored images `indices` [n], which are in range, from `pixels` or by
 * `read_bytes`. */
bool dataset_read_stored(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                         Error *error);

/* `open`, `labels` and `release` are always there. The other functions may be NULL. Errors name the
 * file. */
struct DatasetFormat {
    /* Whether the content of `path` is of this format, whatever its name; false where it cannot be
     * read. NULL for formats without files. */
    bool (*detects)(const char *path);
    /* Names of such files end in one of these, up to a NULL: for a file whose content no format
     * detects. */
    const char *endings[5];
    /* Whether the files that data.train names hold test images too: `open` then takes the part that
     * dataset->split asks for. */
    bool brings_test;
    /* The height and width of the images in `path`, and their channels: of the first one, where they
     * may differ. NULL where the format has no files. */
    bool (*shape)(const char *path, int *resolution, int *channels, Error *error);
    /* Opens dataset->path, checks it against the resolution and the channels, and sets `stored`, 1
     * to 2^32 - 1, and `state`. `release` is called after a failure too. */
    bool (*open)(Dataset *dataset, Error *error);
    /* bytes [n, resolution, resolution, channels] := the stored images `indices` [n], which are in
     * range.
     * Formats of floats have read_floats instead, and those that set dataset->pixels need neither. */
    bool (*read_bytes)(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error);
    /* The same as numbers from about -1 to 1. */
    bool (*read_floats)(Dataset *dataset, const int64_t *indices, int n, float *images,
                        Error *error);
    /* Tells the system that these stored images will be read soon. NULL where they are in memory. */
    void (*expect)(Dataset *dataset, const int64_t *indices, int n);
    /* dataset_verify for this format; NULL where nothing is kept. */
    bool (*verify)(Dataset *dataset, Error *error);
    /* The file with the labels of these images, for memory_free; NULL: not known, as it always is
     * where the function is NULL. */
    char *(*labels_path)(const Dataset *dataset);
    /* The labels in the file `path`, which may belong to images of another format. Where the format
     * has no files, `path` is NULL, and the labels are those of `dataset`. The caller frees them
     * with raw_labels_free, after a failure too. */
    bool (*labels)(const Dataset *dataset, const char *path, RawLabels *labels, Error *error);
    /* Frees what the state holds. It may be half made, and is not NULL. Its own memory, from
     * memory_small, is freed afterwards. */
    void (*release)(void *state);
};

/* Several data sets, one behind the other, as one: a data.train or data.test that is a list. It is no
 * value of data.format, and opens its parts by dataset_open (dataset_joined.c). */
extern const DatasetFormat dataset_joined;

/* The format of each value of data.format. */
extern const DatasetFormat *const dataset_formats[DATA_FORMAT_COUNT];
