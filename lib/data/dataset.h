/* Data sets: images by index, whatever format they are stored in.
 *
 * Every format gives NHWC float32 in [-1, 1]; a byte u becomes 2u/255 - 1. The built-in mixture
 * (diffusion/mixture.h) is a data set too: its images are computed when they are asked for, the
 * same ones in every run, and may lie slightly outside of [-1, 1]. The formats are listed in
 * config/data_format.h.
 *
 * Images by index:
 *
 *     Dataset *dataset;
 *     if (!dataset_open(&dataset, &config, DATASET_TRAIN, error) ||
 *         !dataset_read(dataset, indices, n, images, error))
 *         ...
 *     dataset_close(dataset);
 *
 * A data set is for one thread at a time.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

typedef enum DatasetSplit { DATASET_TRAIN, DATASET_TEST } DatasetSplit;

typedef struct Dataset Dataset;

/* How many images the mixture has; the two parts are disjoint. */
enum { DATASET_MIXTURE_TRAIN = 60000, DATASET_MIXTURE_TEST = 10000 };

/* -- What a configuration says ----------------------------------------------------------------- */

/* Whether the configuration says where these images are: their file has a name, or the format needs
 * none. A data.test of "auto" stands for images in data.train. */
bool dataset_is_named(const Config *config, DatasetSplit split);

/* Whether training mirrors images at random: data.flip, but never computed images. */
bool dataset_is_flipped(const Config *config);

/* The format of the file or directory `path`, of images or of labels, by its content. If the content
 * is of no format (there may be no such file), the ending of the name decides: hdf5 for .h5 and .hdf5,
 * else idx. That reader's error then says what is wrong. */
DataFormat dataset_format_of_file(const char *path);

/* The height and width, and the channels, of the images in `path`, whatever its format; of the first
 * picture where they may differ, and then the smaller side. Input error if it has no images, or none
 * that are square. */
bool dataset_shape(const char *path, int *resolution, int *channels, Error *error);

/* -- Images ------------------------------------------------------------------------------------ */

/* Opens data.train or data.test and checks it against data.resolution and data.channels. Input
 * error if it is no complete file of such images. The caller closes *dataset, which is NULL after a
 * failure.
 *
 * A data.test of "auto" stands for the test images that the files of data.train bring (CIFAR). If
 * they bring none, about a tenth of their images is held out (data/held_out.h): DATASET_TEST is that
 * tenth, and DATASET_TRAIN all other images, with a note. */
bool dataset_open(Dataset **dataset, const Config *config, DatasetSplit split, Error *error);

/* NULL is fine. */
void dataset_close(Dataset *dataset);

/* What messages call it: the path of its file, or "the mixture". Lives as long as the data set. */
const char *dataset_name(const Dataset *dataset);

/* Never DATA_AUTO. */
DataFormat dataset_format(const Dataset *dataset);

/* How many images it has: 1 to 2^32 - 1. */
int64_t dataset_count(const Dataset *dataset);

/* images [n, resolution, resolution, channels] := the images `indices` [n]. */
bool dataset_read(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error);

/* The same in two parts, for callers that measure how long they wait: dataset_fetch waits for the
 * storage, and dataset_take makes numbers of the images [n] that it fetched. Computed images are
 * computed by dataset_fetch. */
bool dataset_fetch(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error);
void dataset_take(const Dataset *dataset, int n, float *images);

/* Says that these images are the next that will be read, so that the system brings them meanwhile.
 * Indices beyond the data set are passed over. */
void dataset_expect(Dataset *dataset, const int64_t *indices, int n);

/* Compares what is kept of the images (the cache of pictures) with the bytes of all files. Input error
 * with the name of a file that is another one by now. */
bool dataset_verify(Dataset *dataset, Error *error);

/* Mirrors one image [height, width, channels], left to right, in place. */
void dataset_flip(float *image, int height, int width, int channels);

/* -- Fingerprint ------------------------------------------------------------------------------- */

/* Bytes of images that a fingerprint reads of a larger data set: about a second's work. */
enum { DATASET_FINGERPRINT_BYTES = 1 << 30 };

/* *print := a number that tells data sets apart by their images, whatever format and file these are
 * stored in. It is made of the shape and of all images. If those have more than `max_bytes` bytes
 * (DATASET_FINGERPRINT_BYTES, less in tests), it is made of some that are spread evenly over the
 * data set, the first and the last among them. */
bool dataset_fingerprint(Dataset *dataset, int64_t max_bytes, uint64_t *print, Error *error);
