/* The classifier in whose features images are compared. One that is accepted gives finite features. */
#include "fuzz/target.h"
#include "infer/feature_net.h"

#include <math.h>

void fuzz_classifier(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Config config;
    FeatureNet *net = NULL;
    if (!config_parse(&config, fuzz_network_config, "small", NULL, 0, &error))
        fuzz_broken("the smallest recipe can be read");
    const FeatureNetRequest request = {
        .path = fuzz_file("classifier.h5", bytes, size), .config = &config, .quiet = true};
    if (!feature_net_open(&net, &request, &error)) {
        fuzz_check_error(&error);
        return;
    }
    float image[16] = {0.5f}, features[CLASSIFIER_FEATURES];
    if (!feature_net_evaluate(net, image, 1, features, &error))
        fuzz_check_error(&error);
    feature_net_close(net);
}
