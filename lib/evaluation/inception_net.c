/* Images are evaluated batch by batch. Places of the last batch that no image takes keep what they
 * held; nobody reads their features. */
#include "evaluation/inception_net.h"

#include "base/fingerprint.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/pixel.h"
#include "exchange/inception_weights.h"

#include <string.h>

struct InceptionNet {
    ParamSet params;
    /* [params.size] */
    float *weights;
    Graph *graph;
    Inception net;
    int batch;
};

/* The network and its weights, before graph_finish. On an error *result is NULL. */
static bool read_weights(InceptionNet **result, const char *path, int batch, Error *error)
{
    InceptionNet *net = *result = memory_small(1, sizeof *net);
    net->batch = batch;
    net->graph = graph_new(&net->params, (GraphOptions){.batch = batch});
    net->net = inception_build(net->graph);
    net->weights = memory_large(net->params.size, sizeof(float), "Inception's weights", error);
    if (net->weights && inception_weights_read(path, &net->params, net->weights, error))
        return true;
    inception_net_close(net);
    *result = NULL;
    return false;
}

bool inception_net_open(InceptionNet **result, const char *path, int batch, Error *error)
{
    InceptionNet *net = NULL;
    *result = NULL;
    if (!read_weights(&net, path, batch, error))
        return false;
    const bool ok = graph_finish(net->graph, error);
    if (ok)
        graph_load_weights(net->graph, net->weights);
    else
        inception_net_close(net);
    *result = ok ? net : NULL;
    return ok;
}

void inception_net_close(InceptionNet *net)
{
    if (!net)
        return;
    graph_free(net->graph);
    params_free(&net->params);
    memory_free(net->weights);
    memory_free(net);
}

bool inception_net_identify(const char *path, uint64_t *print, Error *error)
{
    InceptionNet *net = NULL;
    if (!read_weights(&net, path, 1, error))
        return false;
    *print = inception_net_fingerprint(net);
    inception_net_close(net);
    return true;
}

uint64_t inception_net_fingerprint(const InceptionNet *net)
{
    return fingerprint(FINGERPRINT_START, net->weights, net->params.size * sizeof(float));
}

/* Fills in the input of one image [size]. `bytes` [size] is scratch. */
static void prepare_image(const float *pixels, int resolution, int channels, uint8_t *bytes,
                          float *input)
{
    const size_t size = (size_t)resolution * (size_t)resolution * (size_t)channels;
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_of_pixel(pixels[i]);
    inception_input(bytes, resolution, resolution, channels, input);
}

bool inception_net_evaluate(InceptionNet *net, const float *images, int resolution, int channels,
                            int count, float *features, Error *error)
{
    const size_t size = (size_t)resolution * (size_t)resolution * (size_t)channels;
    const size_t each = (size_t)INCEPTION_SIDE * INCEPTION_SIDE * 3;
    uint8_t *bytes = memory_large((size_t)net->batch, size, "pictures", error);
    bool ok = bytes != NULL;
    for (int first = 0; ok && first < count; first += net->batch) {
        const int part = count - first < net->batch ? count - first : net->batch;
        float *input = value_data(net->net.images);
#pragma omp parallel for schedule(static)
        for (int i = 0; i < part; i++)
            prepare_image(images + (size_t)(first + i) * size, resolution, channels,
                          bytes + (size_t)i * size, input + (size_t)i * each);
        ok = interrupt_continues(error) && graph_forward(net->graph, 0, error);
        if (ok)
            memcpy(features + (size_t)first * INCEPTION_FEATURES, value_data(net->net.features),
                   (size_t)part * INCEPTION_FEATURES * sizeof *features);
    }
    memory_free(bytes);
    return ok;
}
