/* The images that commands measure on: data.test or data.train of the checkpoint's
 * configuration, or a file. */
#pragma once

#include "base/error.h"
#include "data/dataset.h"
#include "inference/network.h"

enum { IMAGES_DEFAULT = 100, IMAGES_UNSET = -1 };

/* Where images come from. Bounds draw other noise for each (BoundTask.split). */
enum { IMAGES_TEST, IMAGES_TRAIN };

/* Images in memory. */
typedef struct Images {
    /* [count, dims], NHWC in [-1, 1]. */
    float *x_0;
    int count;
    /* The fingerprint of the data set that they are of. */
    uint64_t print;
} Images;

/* Reads the first `wanted` test images, or those in the file `input` (NULL: none), which may have
 * any format (dataset_format_of_file). IMAGES_UNSET reads 100 test images, or all if there are fewer; of `input` it
 * reads all. The caller frees. */
bool images_test(Images *images, const Network *network, const char *input, int64_t wanted,
                 Error *error);

/* *count := the number of test images of the network's configuration, at most `most`. For
 * commands that show as many images as there are, when the user names no number. */
bool images_test_at_most(const Network *network, int64_t most, int64_t *count, Error *error);

/* *print := the fingerprint of the test images of the network's configuration (dataset_fingerprint). */
bool images_test_print(const Network *network, uint64_t *print, Error *error);

/* Reads `wanted` training images, chosen at random by `seed`, without flips. Errors call their
 * number `option`. IMAGES_UNSET reads 100, or all if there are fewer. `data`: see
 * images_open_train. The caller frees. */
bool images_train(Images *images, const Network *network, const char *data, const char *option,
                  int64_t wanted, uint64_t seed, Error *error);

/* A zeroed struct is fine. */
void images_free(Images *images);

/* -- One by one ------------------------------------------------------------------------------- */

/* Opens the training images: those in the file `data`, in any format (dataset_format_of_file),
 * or with NULL those of the network's configuration. */
bool images_open_train(Dataset **dataset, const Network *network, const char *data, Error *error);

/* *chosen [*count] := indices of images of an open data set, all different and in random order;
 * the caller frees with memory_free. *count is `wanted` as in images_train, and becomes their
 * number. An input error if the data set has fewer images than are wanted, or than `least`. */
bool images_choose(const Dataset *dataset, const char *option, int64_t least, uint64_t seed,
                   int64_t *count, int64_t **chosen, Error *error);
