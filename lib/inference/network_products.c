/* Products of the network's Jacobian.
 *
 * Several processes share the images of each run, as in network_evaluate. Every process gets the
 * products of all images.
 *
 * The graph with the backward pass has the network's own weights and batch. Images beyond `count`
 * are zeros. A network that predicts v or x_0 has eps_hat = a output + b x_t, so its Jacobian is
 * a J_output + b I (diffusion/prediction.h).
 */
#include "inference/network_products.h"

#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "inference/network_internal.h"

#include <math.h>
#include <string.h>

struct NetworkProducts {
    Network *network;
    Graph *graph;
    UNet unet;
    /* [batch] */
    double *times;
    /* [count, dims]: a shifted image; and eps_hat above and below. */
    float *shifted, *above, *below;
};

static bool build(NetworkProducts *p, Error *error)
{
    Network *network = p->network;
    p->graph = graph_new(&network->params, (GraphOptions){.batch = network->batch,
                                                          .type = network->type,
                                                          .direct = network->direct,
                                                          .input_gradients = true});
    p->unet = unet_build(p->graph, &network->config);
    graph_seed(p->graph, p->unet.eps);
    if (!graph_finish(p->graph, error))
        return false;
    graph_load_weights(p->graph, network->weights);
    return true;
}

bool network_products_check(const Network *network, Error *error)
{
    return network->type != DTYPE_BF16 ||
           error_input(error,
                       "full: takes differences of the network's output, which bfloat16 rounds "
                       "away; expected it without --precision bf16");
}

bool network_products_make(NetworkProducts **products, Network *network, int count, Error *error)
{
    const size_t bytes = network_dims(network) * sizeof(float);
    *products = NULL;
    if (!network_products_check(network, error))
        return false;
    NetworkProducts *p = *products = memory_small(1, sizeof *p);
    p->network = network;
    p->times = memory_small((size_t)network->batch, sizeof *p->times);
    p->shifted = memory_large((size_t)count, bytes, "products", error);
    p->above = p->shifted ? memory_large((size_t)count, bytes, "products", error) : NULL;
    p->below = p->above ? memory_large((size_t)count, bytes, "products", error) : NULL;
    if (p->below && build(p, error))
        return true;
    network_products_free(p);
    *products = NULL;
    return false;
}

void network_products_free(NetworkProducts *p)
{
    if (!p)
        return;
    graph_free(p->graph);
    memory_free(p->times);
    memory_free(p->shifted);
    memory_free(p->above);
    memory_free(p->below);
    memory_free(p);
}

/* -- J'q -------------------------------------------------------------------------------------- */

/* Runs forward on images of one batch; the rest of it is zeros. */
static bool run_forward(NetworkProducts *p, const float *x, const int *t, int images, Error *error)
{
    const Network *network = p->network;
    const size_t dims = network_dims(network), count = (size_t)images * dims;
    float *input = value_data(p->unet.x);
    memcpy(input, x, count * sizeof *input);
    memset(input + count, 0, (value_count(p->unet.x) - count) * sizeof *input);
    for (int i = 0; i < network->batch; i++)
        p->times[i] = i < images ? schedule_model_time(&network->schedule, t[i]) : 0;
    unet_embed_times(p->times, network->batch, p->unet.embedding, value_data(p->unet.time));
    return graph_forward(p->graph, 0, error);
}

static bool run_backward(NetworkProducts *p, const double *q, int images, Error *error)
{
    const size_t count = (size_t)images * network_dims(p->network);
    float *seed = value_gradient(p->unet.eps);
    for (size_t i = 0; i < value_count(p->unet.eps); i++)
        seed[i] = i < count ? (float)q[i] : 0;
    return graph_backward(p->graph, NULL, error);
}

/* J'q of images of one batch. */
static bool multiply(NetworkProducts *p, const float *x, const int *t, int images, const double *q,
                     double *out, Error *error)
{
    const Network *network = p->network;
    const size_t dims = network_dims(network);
    if (!run_forward(p, x, t, images, error) || !run_backward(p, q, images, error))
        return false;
    const float *gradient = value_gradient(p->unet.x);
    for (int i = 0; i < images; i++) {
        const PredictionFactors f =
            prediction_factors(network->config.model.predicts, &network->schedule, t[i]);
        for (size_t k = (size_t)i * dims; k < (size_t)(i + 1) * dims; k++)
            out[k] = f.output * gradient[k] + f.input * q[k];
    }
    return true;
}

/* J'q of images of one run of every process, in all of them. */
static bool multiply_together(NetworkProducts *p, const float *x, const int *t, int images,
                              const double *q, double *out, Error *error)
{
    const size_t dims = network_dims(p->network);
    const GroupShare share = group_share(images);
    const size_t at = (size_t)share.first * dims;
    const bool done = share.count == 0 || multiply(p, x + at, t + share.first, (int)share.count,
                                                   q + at, out + at, error);
    if (!group_agree(done, error))
        return false;
    group_gather(out, images, dims * sizeof *out);
    return true;
}

bool network_transposed_product(NetworkProducts *p, const float *x, const int *t, int count,
                                const double *q, double *out, Error *error)
{
    const size_t dims = network_dims(p->network);
    const int batch = network_batch(p->network);
    for (int first = 0; first < count; first += batch) {
        const int images = count - first < batch ? count - first : batch;
        const size_t at = (size_t)first * dims;
        group_notice();
        if (!interrupt_continues(error) ||
            !multiply_together(p, x + at, t + first, images, q + at, out + at, error))
            return false;
    }
    return true;
}

/* -- J q -------------------------------------------------------------------------------------- */

/* The step along q [dims] that moves an element by PRODUCT_STEP, root mean square; 0 for q = 0. */
static double step_along(const double *q, size_t dims)
{
    double square = 0;
    for (size_t k = 0; k < dims; k++)
        square += q[k] * q[k];
    return square > 0 ? PRODUCT_STEP * sqrt((double)dims / square) : 0;
}

/* eps [count, dims] := eps_hat at x + sign * step * q. */
static bool evaluate_beside(NetworkProducts *p, double sign, const float *x, const int *t,
                            int count, const double *q, float *eps, Error *error)
{
    const size_t dims = network_dims(p->network);
    for (int i = 0; i < count; i++) {
        const size_t at = (size_t)i * dims;
        const double step = sign * step_along(q + at, dims);
        for (size_t k = at; k < at + dims; k++)
            p->shifted[k] = (float)(x[k] + step * q[k]);
    }
    return network_evaluate(p->network, p->shifted, t, count, &(Prediction){.eps = eps}, error);
}

bool network_product(NetworkProducts *p, const float *x, const int *t, int count, const double *q,
                     double *out, Error *error)
{
    const size_t dims = network_dims(p->network);
    if (!evaluate_beside(p, 1, x, t, count, q, p->above, error) ||
        !evaluate_beside(p, -1, x, t, count, q, p->below, error))
        return false;
    for (int i = 0; i < count; i++) {
        const size_t at = (size_t)i * dims;
        const double step = step_along(q + at, dims);
        for (size_t k = at; k < at + dims; k++)
            out[k] = step > 0 ? ((double)p->above[k] - p->below[k]) / (2 * step) : 0;
    }
    return true;
}
