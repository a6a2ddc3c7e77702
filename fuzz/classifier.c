/* The classifier of `infer quality`. If it is accepted, its features can be computed. */
#include "evaluation/feature_net.h"
#include "fuzz/target.h"

#include <math.h>

void fuzz_classifier(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Config config;
    FeatureNet *net = NULL;
    if (!config_parse(&config, fuzz_network_config, "small", NULL, 0, &error))
        fuzz_broken("the smallest recipe can be read");
    const char *path = fuzz_file("classifier.h5", bytes, size);
    if (!feature_net_open(&net, path, &config, &error)) {
        fuzz_check_error(&error);
        return;
    }
    float image[16] = {0.5f}, features[CLASSIFIER_FEATURES];
    if (!feature_net_evaluate(net, image, 1, features, &error))
        fuzz_check_error(&error);
    feature_net_close(net);
}
