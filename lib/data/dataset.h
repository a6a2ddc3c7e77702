/* Data sets: images by index, whatever they are stored as.
 *
 * Every format gives NHWC float32 in [-1, 1]; a byte u is 2u/255 - 1. The built-in mixture
 * (diffusion/mixture.h) is a data set too: its images are computed when they are asked for, the
 * same ones in every run, and may lie slightly outside of [-1, 1].
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

typedef enum DatasetSplit { DATASET_TRAIN, DATASET_TEST } DatasetSplit;

typedef struct Dataset Dataset;

/* How many images the mixture has; the two parts are disjoint. */
enum { DATASET_MIXTURE_TRAIN = 60000, DATASET_MIXTURE_TEST = 10000 };

/* Opens data.train or data.test and checks it against data.resolution and data.channels. */
bool dataset_open(Dataset **dataset, const Config *config, DatasetSplit split, Error *error);

/* NULL is fine. */
void dataset_close(Dataset *dataset);

/* What errors call it: the path of its file, "the mixture". */
const char *dataset_name(const Dataset *dataset);

DataFormat dataset_format(const Dataset *dataset);
int64_t dataset_count(const Dataset *dataset); /* 1 to 2^32 - 1 */
int dataset_resolution(const Dataset *dataset);
int dataset_channels(const Dataset *dataset);

/* What is read for a fingerprint where a data set has more: so much takes a second. */
enum { DATASET_FINGERPRINT_BYTES = 1 << 30 };

/* A number that tells images apart, whatever they are stored as and wherever: of the shape and of all images, or,
 * where those have more than `most_bytes` bytes (DATASET_FINGERPRINT_BYTES, less in tests), of some that are
 * spread evenly over the data set, the first and the last among them. */
bool dataset_fingerprint(Dataset *dataset, int64_t most_bytes, uint64_t *print, Error *error);

/* images [n, resolution, resolution, channels] := those of `indices` [n]. Not for several
 * threads at a time. */
bool dataset_read(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error);

/* Which component of the mixture image `index` is from; for DATA_MIXTURE only. */
int dataset_component(const Dataset *dataset, int64_t index);

/* Mirrors one image [height, width, channels], left to right, in place. */
void dataset_flip(float *image, int height, int width, int channels);
