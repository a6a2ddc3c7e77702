/* The values of data.format: the one list of data formats.
 *
 * A format is a line here and the file lib/data/dataset_<name>.c, which reads its images
 * (data/dataset_format.h). The list lies in this room because the configuration checks these facts
 * and knows nothing of files of images.
 */
#pragma once

#include <stdbool.h>

/* FORMAT(constant, name, help, has_files, channels): the fields of DataFormatFacts. A new line goes to
 * the end, before pictures, which take any directory and any archive: the first format that knows a
 * content is taken. */
#define DATA_FORMATS(FORMAT)                                                                       \
    FORMAT(DATA_IDX, idx, "MNIST's files", true, 1)                                                \
    FORMAT(DATA_HDF5, hdf5, "an array /images", true, 0)                                           \
    FORMAT(DATA_MIXTURE, mixture, "built in", false, 0)                                            \
    FORMAT(DATA_CIFAR, cifar, "CIFAR-10 or -100", true, 3)                                         \
    FORMAT(DATA_NUMPY, numpy, ".npy or .npz", true, 0)                                             \
    FORMAT(DATA_PICTURES, pictures, "PNG and JPEG", true, 0)

#define DATA_FORMAT_CONSTANT(constant, name, help, has_files, channels) constant,

typedef enum DataFormat {
    DATA_FORMATS(DATA_FORMAT_CONSTANT) DATA_FORMAT_COUNT,
    /* The format that the content of the files shows: the default. */
    DATA_AUTO = DATA_FORMAT_COUNT,
} DataFormat;

typedef struct DataFormatFacts {
    /* "idx": the value of data.format. */
    const char *name;
    /* A few words for --help. */
    const char *help;
    /* Whether data.train and data.test name files. Images of other formats are computed: they need
     * no files, and are never flipped, since their distribution is known. */
    bool has_files;
    /* The channels of every image; 0: any number. */
    int channels;
} DataFormatFacts;

/* An entry for each format, and one for DATA_AUTO. */
extern const DataFormatFacts data_formats[DATA_FORMAT_COUNT + 1];
