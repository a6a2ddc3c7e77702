/* Labels of a data set's images: what a classifier is taught.
 *
 * Diffusion needs none of them; they are looked for only when somebody asks.
 */
#pragma once

#include "data/dataset.h"

typedef struct Labels {
    int *values; /* [count]: 0 .. classes - 1 */
    int64_t count;
    int classes; /* one more than the largest */
} Labels;

/* The labels of an open data set: of the mixture the component that an image is from, else those of the file
 * `path`: HDF5 with integers /labels [N] if its name ends in .h5 or .hdf5, IDX otherwise. NULL: of HDF5 the
 * file of the images, of IDX the one beside it whose name has "labels-idx1" where theirs has
 * "images-idx3". `option` is what names that file on the command line, for errors. An input error where
 * there are no labels, not one per image, or some not from 0 to `most` - 1. */
bool labels_read(Labels *labels, const Dataset *dataset, const char *path, const char *option,
                 int most, Error *error);
void labels_free(Labels *labels); /* fine on a zeroed struct */
