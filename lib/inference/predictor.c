#include "inference/predictor.h"

static bool predict(void *context, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error)
{
    Network *network = context;
    NetworkOutputs outputs = {.eps = prediction->eps};
    for (int kind = 0; kind < VARIANCE_KINDS; kind++)
        if (prediction->heads[kind]) {
            int head = network_find_head(network, variance_head((VarianceKind)kind));
            outputs.heads[head] = prediction->heads[kind];
        }
    return network_evaluate(network, x_t, t, count, &outputs, error);
}

Predictor network_predictor(Network *network, const EstimateOptions *options)
{
    return (Predictor){
        .network = network,
        .predict = predict,
        .batch = network_batch(network),
        .source = {.schedule = network_schedule(network),
                   .dims = network_dims(network),
                   .ms_eps = network_ms_eps(network),
                   .ms_eps_diag = network_ms_eps_diag(network),
                   .mixture = network_mixture(network),
                   .clip_x0 = true,
                   .options = *options},
    };
}
