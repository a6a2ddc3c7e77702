/* Labels of a data set, in IDX or in HDF5, under either name. If they are accepted, there is one
 * for each image, in range. */
#include "data/labels.h"
#include "fuzz/target.h"

#include <stdio.h>

enum { IMAGES = 3, SIDE = 4, MOST = 10 };

/* A data set of three images, which stays open until the process ends. */
static const Dataset *data_set(void)
{
    static Dataset *dataset;
    if (dataset)
        return dataset;
    const uint8_t images[16 + IMAGES * SIDE * SIDE] = {0, 0, 8, 3,    0, 0, 0, IMAGES,
                                                       0, 0, 0, SIDE, 0, 0, 0, SIDE};
    char text[512];
    snprintf(text, sizeof text,
             "data: {format: idx, train: %s, test: none, channels: 1, resolution: 4}\n"
             "model: {attention: []}\n",
             fuzz_file("images.idx", images, sizeof images));
    Config config;
    Error error = {0};
    if (!config_parse(&config, text, "labelled", NULL, 0, &error) ||
        !dataset_open(&dataset, &config, DATASET_TRAIN, &error))
        fuzz_broken(error.message);
    return dataset;
}

void fuzz_labels(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"labels.idx", "labels.h5"};
    for (int i = 0; i < 2; i++) {
        Error error = {0};
        Labels labels;
        if (!labels_read(&labels, data_set(), fuzz_file(names[i], bytes, size), "--train-labels",
                         MOST, &error)) {
            fuzz_check_error(&error);
            continue;
        }
        if (labels.count != IMAGES || labels.classes < 1 || labels.classes > MOST)
            fuzz_broken("labels are one per image");
        for (int64_t k = 0; k < labels.count; k++)
            if (labels.values[k] < 0 || labels.values[k] >= labels.classes)
                fuzz_broken("labels are in range");
        labels_free(&labels);
    }
}
