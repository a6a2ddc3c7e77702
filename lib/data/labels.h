/* Labels of a data set's images: the classes that a classifier is taught.
 *
 * Diffusion needs none; labels are read only when a command asks for them.
 */
#pragma once

#include "data/dataset.h"

typedef struct Labels {
    /* [count], each 0 .. classes - 1. */
    int *values;
    int64_t count;
    /* The largest label plus 1. */
    int classes;
    /* [classes]: their names, NULL for a class whose name is not known; NULL: no name is known. */
    char **names;
} Labels;

/* Reads the labels of an open data set. The caller frees them with labels_free.
 *
 *     data set           labels, if `path` is NULL
 *     mixture            the component that each image was drawn from, whatever `path` says
 *     HDF5               integers /labels [N] in the file of the images
 *     IDX                the file beside the images with "labels-idx1" for "images-idx3" in its name
 *     CIFAR              in the files of the images
 *     NumPy              in the .npz of the images (data/numpy.h)
 *     pictures           the directories that the pictures lie in (data/picture_set.h)
 *
 * A `path` names another file, in any format (dataset_format_of_file). Input error if there are no
 * labels, their number differs from the number of images, or one is not from 0 to max_classes - 1.
 * If there are no labels, the error is_absence. `option` is the option that names the file on the
 * command line, for the message. */
bool labels_read(Labels *labels, const Dataset *dataset, const char *path, const char *option,
                 int max_classes, Error *error);

/* Gives each class the number that the class of its name has in `wanted`, so that both sets have the
 * same classes. Where one of them has no names, numbers are compared alone. Input error with the
 * `name` of the data set if it has a class that is not among those of `wanted`. */
bool labels_match(Labels *labels, const Labels *wanted, const char *name, Error *error);

/* Fine on a zeroed struct. */
void labels_free(Labels *labels);
