/* Data sets: images by index, whatever they are stored as.
 *
 * Every format gives NHWC float32 in [-1, 1]; a byte u is 2u/255 - 1. The built-in mixture
 * (diffusion/mixture.h) is a data set too: its images are computed when they are asked for, the
 * same ones in every run, and may lie slightly outside of [-1, 1].
 */
#pragma once

#include "base/error.h"
#include "io/config.h"

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

/* images [n, resolution, resolution, channels] := those of `indices` [n]. Not for several
 * threads at a time. */
bool dataset_read(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error);

/* Which component of the mixture image `index` is from; for DATA_MIXTURE only. */
int dataset_component(const Dataset *dataset, int64_t index);

/* Mirrors one image [height, width, channels], left to right, in place. */
void dataset_flip(float *image, int height, int width, int channels);
