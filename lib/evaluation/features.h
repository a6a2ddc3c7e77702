/* What images are compared in: the features of a classifier of the run's own data (feature_net.h), or
 * Inception's (inception_net.h). Metrics know only this interface. */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

/* What the two kinds do (features.c). */
typedef struct FeatureKind FeatureKind;

typedef struct Features {
    const FeatureKind *kind;
    /* A FeatureNet or an InceptionNet, owned. */
    void *net;
    /* "cnn64-3f9a1c02" or "inception-5e0b7d12", owned: distances are comparable only if the names are
     * equal. */
    char *name;
    /* Numbers for each image. */
    int dims;
    /* Of the weights. */
    uint64_t fingerprint;
    /* Of a classifier: the share of correctly classified test images, and how many those are. Of
     * Inception: NAN and 0. */
    double accuracy;
    int64_t test_images;
    /* Of the images. */
    int resolution, channels;
} Features;

/* Opens the file of a classifier for the images of `config`. The errors are those of
 * feature_net_open. */
bool features_open_classifier(Features **features, const char *path, const Config *config,
                              Error *error);

/* Opens Inception's weights for the images of `config`. An input error if the file is missing or is
 * another (inception_net.h), or if the images are no pictures of 1 or 3 channels. */
bool features_open_inception(Features **features, const char *path, const Config *config,
                             Error *error);

/* The name that features_open_inception would give, from the weights alone. Caller frees; NULL after
 * an error, of the same kinds. */
char *features_inception_name(const char *path, const Config *config, Error *error);

void features_close(Features *features); /* NULL is fine */

/* Whether distances in them are those that papers call FID and KID. */
bool features_are_inception(const Features *features);
/* The same of the name of features. */
bool features_name_is_inception(const char *name);

/* values [count, dims] := the features of images [count, resolution, resolution, channels]. A
 * run-time error if a signal stops it. */
bool features_evaluate(Features *features, const float *images, int count, float *values,
                       Error *error);
