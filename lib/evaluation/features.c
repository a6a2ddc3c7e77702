/* Two kinds of networks, the classifier and Inception, each with two functions. What they have
 * in common, name, number and fingerprint, is filled in where they are opened. */
#include "evaluation/features.h"

#include "base/fingerprint.h"
#include "base/memory.h"
#include "evaluation/feature_net.h"
#include "evaluation/inception_net.h"

#include <math.h>
#include <string.h>

struct FeatureKind {
    bool (*evaluate)(const Features *f, const float *images, int count, float *values,
                     Error *error);
    void (*close)(void *net);
};

static bool evaluate_classifier(const Features *f, const float *images, int count, float *values,
                                Error *error)
{
    return feature_net_evaluate(f->net, images, count, values, error);
}

static void close_classifier(void *net)
{
    feature_net_close(net);
}

static bool evaluate_inception(const Features *f, const float *images, int count, float *values,
                               Error *error)
{
    return inception_net_evaluate(f->net, images, f->resolution, f->channels, count, values, error);
}

static void close_inception(void *net)
{
    inception_net_close(net);
}

static const FeatureKind classifier_kind = {evaluate_classifier, close_classifier};
static const FeatureKind inception_kind = {evaluate_inception, close_inception};

static Features *new_features(const FeatureKind *kind, void *net, const Config *config)
{
    Features *f = memory_small(1, sizeof *f);
    *f = (Features){.kind = kind,
                    .net = net,
                    .accuracy = NAN,
                    .resolution = config->data.resolution,
                    .channels = config->data.channels};
    return f;
}

bool features_open_classifier(Features **features, const char *path, const Config *config,
                              Error *error)
{
    FeatureNet *net = NULL;
    *features = NULL;
    if (!feature_net_open(&net, path, config, error))
        return false;
    Features *f = *features = new_features(&classifier_kind, net, config);
    f->name = memory_string(net->name);
    f->dims = CLASSIFIER_FEATURES;
    f->fingerprint = fingerprint(FINGERPRINT_START, net->weights, net->params.size * sizeof(float));
    f->accuracy = net->accuracy;
    f->test_images = net->test_images;
    return true;
}

static bool check_pictures(const Config *config, Error *error)
{
    if (config->data.format == DATA_MIXTURE)
        return error_input(error,
                           "--features inception: the images of the mixture are no pictures");
    return config->data.channels == 1 || config->data.channels == 3 ||
           error_input(error,
                       "--features inception: expected images of 1 or 3 channels, these have %d",
                       config->data.channels);
}

#define INCEPTION_NAME "inception-"

static char *inception_name(uint64_t print)
{
    return memory_format(INCEPTION_NAME "%08x", (unsigned)(print >> 32));
}

char *features_inception_name(const char *path, const Config *config, Error *error)
{
    uint64_t print = 0;
    if (!check_pictures(config, error) || !inception_net_identify(path, &print, error))
        return NULL;
    return inception_name(print);
}

bool features_open_inception(Features **features, const char *path, const Config *config,
                             Error *error)
{
    InceptionNet *net = NULL;
    *features = NULL;
    if (!check_pictures(config, error) || !inception_net_open(&net, path, INCEPTION_BATCH, error))
        return false;
    Features *f = *features = new_features(&inception_kind, net, config);
    f->fingerprint = inception_net_fingerprint(net);
    f->name = inception_name(f->fingerprint);
    f->dims = INCEPTION_FEATURES;
    return true;
}

void features_close(Features *features)
{
    if (!features)
        return;
    features->kind->close(features->net);
    memory_free(features->name);
    memory_free(features);
}

bool features_are_inception(const Features *features)
{
    return features->kind == &inception_kind;
}

bool features_name_is_inception(const char *name)
{
    return strncmp(name, INCEPTION_NAME, strlen(INCEPTION_NAME)) == 0;
}

bool features_evaluate(Features *features, const float *images, int count, float *values,
                       Error *error)
{
    return features->kind->evaluate(features, images, count, values, error);
}
