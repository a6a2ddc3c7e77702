/* What the network can do, and running it.
 *
 * The trunk is one inference graph; each head is a small graph of its own on the values that the
 * trunk keeps, without a copy. Graphs of heads are built when a head is first evaluated, and all
 * of them freed when the batch changes.
 *
 * Several processes share the images of each call, and all get all results (base/group.h). What is
 * made of the results is computed by every process alike, and so has the same bits. */
#include "inference/network.h"

#include "base/fingerprint.h"
#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "inference/network_internal.h"

#include <assert.h>
#include <string.h>

const Config *network_config(const Network *network)
{
    return &network->config;
}

const Schedule *network_schedule(const Network *network)
{
    return &network->schedule;
}

size_t network_dims(const Network *network)
{
    size_t resolution = (size_t)network->config.data.resolution;
    return resolution * resolution * (size_t)network->config.data.channels;
}

size_t network_parameters(const Network *network)
{
    size_t count = network->params.size;
    for (int i = 0; i < network->head_count; i++)
        count += network->heads[i].size;
    return count;
}

bool network_head_is_output(const Network *network, int head)
{
    return network->heads[head].is_output;
}

size_t network_head_parameters(const Network *network, int head)
{
    size_t count = network->heads[head].size;
    for (int i = 0; network->heads[head].is_output && i < network->params.count; i++)
        if (strncmp(network->params.items[i].name, "conv_out_v.", 11) == 0)
            count += network->params.items[i].count;
    return count;
}

const Config *network_head_config(const Network *network, int head)
{
    return &network->heads[head].config;
}

int network_heads(const Network *network)
{
    return network->head_count;
}

const char *network_head_name(const Network *network, int head)
{
    return network->heads[head].name;
}

int network_find_head(const Network *network, const char *name)
{
    for (int i = 0; i < network->head_count; i++)
        if (strcmp(network->heads[i].name, name) == 0)
            return i;
    return -1;
}

const double *network_ms_eps(const Network *network)
{
    return network->ms_eps;
}

const float *network_ms_eps_diag(const Network *network)
{
    return network->ms_eps_diag;
}

const Mixture *network_mixture(const Network *network)
{
    return network->mixture.components > 0 ? &network->mixture : NULL;
}

const char *network_run(const Network *network)
{
    return network->is_run ? network->origin : NULL;
}

const char *network_origin(const Network *network)
{
    return network->origin;
}

/* An array of /analytic, and its size; NULL where no checkpoint has it, and for the name NULL. */
static const void *constants_of(const Network *network, const char *name, size_t *bytes)
{
    const size_t entries = (size_t)network->schedule.timesteps + 1;
    if (name && strcmp(name, "ms_eps") == 0) {
        *bytes = entries * sizeof *network->ms_eps;
        return network->ms_eps;
    }
    if (name && strcmp(name, "ms_eps_diag") == 0) {
        *bytes = entries * network_dims(network) * sizeof *network->ms_eps_diag;
        return network->ms_eps_diag;
    }
    return NULL;
}

static uint64_t fingerprint_of_correlation(uint64_t print, const BlockCorrelation *correlation)
{
    const size_t n = (size_t)block_rows(&correlation->shape);
    print = fingerprint(print, correlation->bins.first, sizeof correlation->bins.first);
    return fingerprint(print, correlation->matrix,
                       (size_t)correlation->bins.count * n * n * sizeof *correlation->matrix);
}

static uint64_t fingerprint_of_head(uint64_t print, const Network *network, const char *name)
{
    const NetworkHead *head = &network->heads[network_find_head(network, name)];
    print = fingerprint(print, head->weights, head->size * sizeof *head->weights);
    return fingerprint(print, head->bins.first, sizeof head->bins.first);
}

uint64_t network_fingerprint(const Network *network, const Variance *variance)
{
    const size_t entries = (size_t)network->schedule.timesteps + 1;
    uint64_t print = fingerprint(FINGERPRINT_START, network->weights,
                                 network->params.size * sizeof *network->weights);
    print = fingerprint(print, network->schedule.alpha_bar, entries * sizeof(double));
    print = config_fingerprint(print, &network->config, CONFIG_NETWORK);
    size_t bytes;
    const void *constants = constants_of(network, variance->constants, &bytes);
    if (variance->head) {
        print = fingerprint_of_head(print, network, variance->head);
        if (variance->is_correlated)
            print = fingerprint_of_correlation(
                print, &network->heads[network_find_head(network, variance->head)].correlation);
    }
    if (variance->draw_head)
        print = fingerprint_of_head(print, network, variance->draw_head);
    return constants ? fingerprint(print, constants, bytes) : print;
}

uint64_t network_identity(const Network *network)
{
    const Variance *kinds[VARIANCE_COUNT];
    const int count = network_variances(network, kinds);
    uint64_t print = FINGERPRINT_START;
    for (int v = 0; v < count; v++) {
        const uint64_t one = network_fingerprint(network, kinds[v]);
        print = fingerprint(print, &one, sizeof one);
    }
    return print;
}

int network_files(const Network *network)
{
    return network->file_count;
}

const char *network_file(const Network *network, int file)
{
    return network->files[file];
}

const BlockCorrelation *network_correlation(const Network *network, const Variance *variance)
{
    assert(variance->head); /* correlations lie beside a head */
    const int head = network_find_head(network, variance->head);
    const BlockCorrelation *correlation = head < 0 ? NULL : &network->heads[head].correlation;
    return correlation && correlation->matrix ? correlation : NULL;
}

/* Whether the network has the head; NULL is fine. */
static bool check_head(const Network *network, const Variance *variance, const char *head,
                       Error *error)
{
    if (!head || network_find_head(network, head) >= 0)
        return true;
    if (variance == &variance_learned)
        return error_input(error,
                           "the variance learned needs a network with a second output, and %s has "
                           "none; train --stage 1 --set stage1.objective=hybrid makes one",
                           network->origin);
    return error_input(error,
                       "the variance %s needs the head %s, and %s has none; train --stage 2 "
                       "--loss %s makes one",
                       variance->name, head, network->origin, head);
}

bool network_check_variance(const Network *network, const Variance *variance, Error *error)
{
    const char *head = variance->head;
    if (!check_head(network, variance, head, error) ||
        !check_head(network, variance, variance->draw_head, error))
        return false;
    if (variance->is_correlated && !network_correlation(network, variance))
        return error_input(error,
                           "the variance %s needs correlations beside the %s head, and %s has "
                           "none; train --stage 2 --loss %s fits them unless "
                           "stage2.correlation is none or finds no gain in them",
                           variance->name, head, network->origin, head);
    if (variance->needs_mixture && !network_mixture(network))
        return error_input(error,
                           "the variance %s is known where data.format is mixture; the data of "
                           "%s are something else",
                           variance->name, network->origin);
    size_t bytes;
    if (variance->constants && !constants_of(network, variance->constants, &bytes))
        return error_input(error,
                           "the variance %s needs the array /analytic/%s, and %s has none; "
                           "infer analytic --%s %s makes it",
                           variance->name, variance->constants, network->origin,
                           network->is_run ? "run" : "checkpoint", network->origin);
    return true;
}

int network_variances(const Network *network, const Variance **variances)
{
    int count = 0;
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        Error ignored = {0};
        if (!variance_table[v]->reads_jacobian &&
            network_check_variance(network, variance_table[v], &ignored))
            variances[count++] = variance_table[v];
    }
    return count;
}

/* -- Graphs ----------------------------------------------------------------------------------- */

void network_release_graphs(Network *network)
{
    for (int i = 0; i < network->head_count; i++) {
        graph_free(network->heads[i].graph);
        network->heads[i].graph = NULL;
    }
    graph_free(network->graph);
    network->graph = NULL;
    memory_free(network->times);
    memory_free(network->bin);
    network->times = NULL;
    network->bin = NULL;
    network->batch = 0;
}

bool network_prepare(Network *network, int64_t count, Error *error)
{
    const int64_t size = group_size(), most = network->max_batch * size;
    const int64_t runs = (count + most - 1) / most * size;
    int batch = count < 1 ? 1 : (int)((count + runs - 1) / runs);
    if (batch == network->batch)
        return true;
    if (!memory_limit_check(false, error))
        return false;
    network_release_graphs(network);
    network->graph =
        graph_new(&network->params,
                  (GraphOptions){.batch = batch, .type = network->type, .direct = network->direct});
    network->unet = unet_build(network->graph, &network->config);
    if (!graph_finish(network->graph, error)) {
        network_release_graphs(network);
        return false;
    }
    graph_load_weights(network->graph, network->weights);
    network->times = memory_small((size_t)batch, sizeof *network->times);
    network->bin = memory_small((size_t)batch, sizeof *network->bin);
    network->batch = batch;
    return true;
}

int network_batch(const Network *network)
{
    return network->batch * group_size();
}

/* On the kept values of the trunk's graph, without a copy. */
static bool build_head(Network *network, NetworkHead *head, Error *error)
{
    head->graph = graph_new(
        &head->params,
        (GraphOptions){.batch = network->batch, .type = network->type, .direct = network->direct});
    head->head = head_build(head->graph, &head->config, head->bins.count, network->unet.features,
                            network->unet.temb);
    if (!graph_finish(head->graph, error)) {
        graph_free(head->graph);
        head->graph = NULL;
        return false;
    }
    graph_load_weights(head->graph, head->weights);
    return true;
}

/* -- Evaluating ------------------------------------------------------------------------------- */

/* Writes the inputs of a run. They are written before every run, because a run reuses their
 * memory. */
static void fill_inputs(Network *network, const float *x, const int *t, int count)
{
    size_t dims = network_dims(network);
    float *input = value_data(network->unet.x);
    size_t padding = (size_t)(network->batch - count) * dims;
    memcpy(input, x, (size_t)count * dims * sizeof *input);
    memset(input + (size_t)count * dims, 0, padding * sizeof *input);
    for (int i = 0; i < network->batch; i++)
        network->times[i] = i < count ? schedule_model_time(&network->schedule, t[i]) : 0;
    unet_embed_times(network->times, network->batch, network->unet.embedding,
                     value_data(network->unet.time));
}

static bool run_head(Network *network, NetworkHead *head, const int *t, int count, float *out,
                     Error *error)
{
    if (head->is_output) {
        memcpy(out, value_data(network->unet.v),
               (size_t)count * network_dims(network) * sizeof *out);
        return true;
    }
    if ((!head->graph && !build_head(network, head, error)) ||
        !graph_forward(head->graph, 0, error))
        return false;
    for (int i = 0; i < count; i++)
        network->bin[i] = time_bins_find(&head->bins, t[i]);
    head_read(&head->head, network->bin, count, out);
    return true;
}

/* The outputs from image `first` on. */
static Prediction outputs_from(const Network *network, const Prediction *outputs, int64_t first)
{
    const size_t offset = (size_t)first * network_dims(network);
    Prediction part = {.eps = outputs->eps ? outputs->eps + offset : NULL};
    for (int i = 0; i < network->head_count; i++)
        part.heads[i] = outputs->heads[i] ? outputs->heads[i] + offset : NULL;
    return part;
}

/* Evaluates `count` images in one run. */
static bool run(Network *network, const float *x, const int *t, int count,
                const Prediction *outputs, Error *error)
{
    const size_t dims = network_dims(network);
    fill_inputs(network, x, t, count);
    if (!graph_forward(network->graph, 0, error))
        return false;
    if (outputs->eps) {
        memcpy(outputs->eps, value_data(network->unet.eps), (size_t)count * dims * sizeof *x);
        prediction_to_eps(network->config.model.predicts, &network->schedule, x, t, (size_t)count,
                          dims, outputs->eps);
    }
    for (int i = 0; i < network->head_count; i++)
        if (outputs->heads[i] &&
            !run_head(network, &network->heads[i], t, count, outputs->heads[i], error))
            return false;
    return true;
}

/* Evaluates `count` images in one run of every process, and gives the results to all. */
static bool run_together(Network *network, const float *x, const int *t, int count,
                         const Prediction *outputs, Error *error)
{
    const size_t dims = network_dims(network), image = dims * sizeof *x;
    const GroupShare share = group_share(count);
    const Prediction here = outputs_from(network, outputs, share.first);
    const bool done = share.count == 0 || run(network, x + (size_t)share.first * dims,
                                              t + share.first, (int)share.count, &here, error);
    if (!group_agree(done, error))
        return false;
    if (outputs->eps)
        group_gather(outputs->eps, count, image);
    for (int i = 0; i < network->head_count; i++)
        if (outputs->heads[i])
            group_gather(outputs->heads[i], count, image);
    return true;
}

bool network_evaluate(Network *network, const float *x, const int *t, int count,
                      const Prediction *outputs, Error *error)
{
    assert(network->batch > 0);
    const size_t dims = network_dims(network);
    const int batch = network_batch(network);
    for (int first = 0; first < count; first += batch) {
        const int images = count - first < batch ? count - first : batch;
        const Prediction part = outputs_from(network, outputs, first);
        group_notice();
        if (!interrupt_continues(error) ||
            !run_together(network, x + (size_t)first * dims, t + first, images, &part, error))
            return false;
    }
    return true;
}

/* -- As a predictor --------------------------------------------------------------------------- */

static bool predict(void *network, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error)
{
    return network_evaluate(network, x_t, t, count, prediction, error);
}

Predictor network_predictor(Network *network, const EstimateOptions *options)
{
    Predictor predictor = {
        .network = network,
        .predict = predict,
        .batch = network_batch(network),
        .source = {.schedule = &network->schedule,
                   .dims = network_dims(network),
                   .ms_eps = network->ms_eps,
                   .ms_eps_diag = network->ms_eps_diag,
                   .mixture = network_mixture(network),
                   .clip_x0 = true,
                   .options = *options},
    };
    for (int i = 0; i < network->head_count; i++)
        predictor.heads[i] = network->heads[i].name;
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (variance_table[v]->is_correlated)
            predictor.source.correlation = network_correlation(network, variance_table[v]);
    return predictor;
}
