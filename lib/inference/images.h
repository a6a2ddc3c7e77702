/* The images that commands measure on: those of the checkpoint's configuration, or of a file. */
#pragma once

#include "base/error.h"
#include "data/dataset.h"
#include "inference/network.h"

enum { IMAGES_DEFAULT = 100, IMAGES_UNSET = -1 };

/* Where they are from; the values tell apart their noise (BoundTask.split). */
enum { IMAGES_TEST, IMAGES_TRAIN };

/* x_0 [count, dims], in memory. */
typedef struct Images {
    float *x_0;
    int count;
} Images;

/* The first `wanted` test images, or those of the array /images of the HDF5 file `input` (NULL: none).
 * IMAGES_UNSET: 100, or as many as there are, of `input` all. */
bool images_test(Images *images, const Network *network, const char *input, int64_t wanted,
                 Error *error);

/* `most`, or the number of test images of the network's configuration where there are fewer: for who shows as many as
 * there are and was not asked for a number. */
bool images_test_at_most(const Network *network, int64_t most, int64_t *count, Error *error);

/* `wanted` training images, drawn at random by `seed`, without flips; `option` names their number in
 * errors. IMAGES_UNSET: 100, or as many as there are. `data` as below. */
bool images_train(Images *images, const Network *network, const char *data, const char *option,
                  int64_t wanted, uint64_t seed, Error *error);

void images_free(Images *images); /* fine on a zeroed struct */

/* -- One by one ------------------------------------------------------------------------------- */

/* Opens the training images: those in the file `data`, in any format (dataset_format_of_file), or with NULL those of the
 * network's configuration. */
bool images_open_train(Dataset **dataset, const Network *network, const char *data, Error *error);

/* chosen [*count] := which images of an open data set, all different and in random order. *count is as
 * `wanted` above, and becomes the number; fewer than `least`, or than are wanted, is an error. */
bool images_choose(const Dataset *dataset, const char *option, int64_t least, uint64_t seed,
                   int64_t *count, int64_t **chosen, Error *error);
