/* Trains the classifier in whose features images are compared (feature_training.h).
 *
 * A plain training loop: batches of 128 images in shuffled epochs, the cross entropy of the labels,
 * Adam (engine/optimizer.h). The moving average of the weights is tested on the test images and
 * written.
 */
#include "evaluation/feature_training.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/progress.h"
#include "data/epoch.h"
#include "data/flip.h"
#include "data/labels.h"
#include "engine/optimizer.h"
#include "io/file_kind.h"
#include "io/output.h"

#include <math.h>
#include <string.h>

enum { BATCH = 128 };

/* The moving average covers about the last hundred steps. It replaces a schedule that lowers the
 * learning rate. */
static const OptimizerSettings settings = {.lr = 2e-3, .warmup = 50, .grad_clip = 1, .ema = 0.99};

typedef struct Training {
    FeatureNet *net;
    const Config *config;
    Dataset *images, *test;
    Labels labels, test_labels;
    EpochOrder order;
    OptimizerState state;
    Graph *graph;
    Classifier classifier;
    int64_t indices[BATCH];
    int batch_labels[BATCH];
} Training;

/* -- Preparation ------------------------------------------------------------------------------ */

static bool check_labels(const Training *t, Error *error)
{
    const int classes = t->labels.classes;
    if (classes < 2)
        return error_input(error, "%s: all its labels are 0, expected at least two classes",
                           dataset_name(t->images));
    return true;
}

static bool open_data(Training *t, const FeatureTraining *task, Error *error)
{
    const Config *config = task->config;
    if (!dataset_is_named(config, DATASET_TRAIN) || !dataset_is_named(config, DATASET_TEST))
        return error_input(error,
                           "%s: there is no such classifier, and the configuration in the "
                           "checkpoint names no images (data.train, data.test) to train it on; "
                           "--metrics sliced needs none",
                           task->path);
    return dataset_open(&t->images, config, DATASET_TRAIN, error) &&
           dataset_open(&t->test, config, DATASET_TEST, error) &&
           labels_read(&t->labels, t->images, task->train_labels, "--train-labels",
                       CLASSIFIER_MAX_CLASSES, error) &&
           check_labels(t, error) &&
           labels_read(&t->test_labels, t->test, task->test_labels, "--test-labels",
                       t->labels.classes, error) &&
           epoch_make(&t->order, (uint64_t)task->seed, dataset_count(t->images), error);
}

static bool build(Training *t, Error *error)
{
    FeatureNet *net = t->net;
    net->classes = t->labels.classes;
    t->graph = graph_new(&net->params, (GraphOptions){.batch = BATCH, .weight_gradients = true});
    t->classifier = classifier_build(t->graph, net->resolution, net->channels, net->classes);
    graph_seed(t->graph, t->classifier.logits);
    return graph_finish(t->graph, error) &&
           optimizer_state_make(&t->state, &net->params, (uint64_t)net->seed, "a classifier",
                                error);
}

static void release(Training *t)
{
    graph_free(t->graph);
    epoch_free(&t->order);
    labels_free(&t->labels);
    labels_free(&t->test_labels);
    dataset_close(t->images);
    dataset_close(t->test);
    optimizer_state_free(&t->state);
}

/* -- Training --------------------------------------------------------------------------------- */

static bool step(Training *t, int64_t i, double *loss, Error *error)
{
    float *images = value_data(t->classifier.images);
    epoch_indices(&t->order, i * BATCH, BATCH, t->indices);
    if (!dataset_read(t->images, t->indices, BATCH, images, error))
        return false;
    const FlipKey coins = {
        .seed = (uint64_t)t->net->seed, .stream = FLIP_CLASSIFIER, .step = (uint32_t)i};
    flip_at_random(t->config, &coins, BATCH, images);
    for (int k = 0; k < BATCH; k++)
        t->batch_labels[k] = t->labels.values[t->indices[k]];
    graph_load_weights(t->graph, t->state.weights);
    if (!graph_forward(t->graph, (uint32_t)i, error))
        return false;
    *loss = classifier_loss(value_data(t->classifier.logits), t->batch_labels, BATCH,
                            t->net->classes, value_gradient(t->classifier.logits));
    if (!graph_backward(t->graph, t->state.gradients, error))
        return false;
    const double norm = optimizer_gradient_norm(t->state.gradients, t->state.size);
    if (!isfinite(*loss) || !isfinite(norm))
        return error_runtime(error, "the classifier's loss is not finite at step %lld",
                             (long long)i + 1);
    optimizer_update(&t->state, &settings, i + 1, norm);
    return true;
}

static bool train(Training *t, bool quiet, Error *error)
{
    Progress progress;
    double shown = 0;
    bool ok = true;
    progress_start(&progress, "classifier", 0, t->net->steps, BATCH, "images/s", quiet);
    for (int64_t i = 0; ok && i < t->net->steps; i++) {
        double loss = 0;
        ok = interrupt_continues(error) && step(t, i, &loss, error);
        shown += (i == 0 ? 1 : 0.05) * (loss - shown);
        if (ok)
            progress_update(&progress, i + 1, "loss %.3f", shown);
    }
    progress_finish(&progress);
    return ok;
}

/* -- Afterwards ------------------------------------------------------------------------------- */

/* Measures the accuracy on the test images. The training graph has no dropout, so it serves here
 * too. */
static bool test(Training *t, Error *error)
{
    const int64_t count = dataset_count(t->test);
    int64_t hits = 0;
    graph_load_weights(t->graph, t->state.ema);
    for (int64_t first = 0; first < count; first += BATCH) {
        const int part = (int)(count - first < BATCH ? count - first : BATCH);
        for (int k = 0; k < part; k++)
            t->indices[k] = first + k;
        if (!interrupt_continues(error) ||
            !dataset_read(t->test, t->indices, part, value_data(t->classifier.images), error) ||
            !graph_forward(t->graph, 0, error))
            return false;
        hits += classifier_hits(value_data(t->classifier.logits), t->test_labels.values + first,
                                part, t->net->classes);
    }
    t->net->test_images = count;
    t->net->accuracy = (double)hits / (double)count;
    return true;
}

/* Moves the averaged weights to the network, and names it. */
static void hand_over(Training *t)
{
    FeatureNet *net = t->net;
    net->weights = t->state.ema;
    t->state.ema = NULL;
    net->data = memory_string(dataset_name(t->images));
    net->name = feature_net_name(net->weights, net->params.size);
}

/* A network without parameters. Their shapes depend on the number of classes, which labels tell
 * later. */
static FeatureNet *new_net(const FeatureTraining *task)
{
    FeatureNet *net = memory_small(1, sizeof *net);
    net->path = memory_string(task->path);
    net->resolution = task->config->data.resolution;
    net->channels = task->config->data.channels;
    net->steps = task->steps;
    net->seed = task->seed;
    return net;
}

bool feature_training_run(const FeatureTraining *task, Error *error)
{
    Training *t = memory_small(1, sizeof *t);
    t->net = new_net(task);
    t->config = task->config;
    bool ok = output_check_name("--classifier", task->path, ".h5.hdf5", error) &&
              open_data(t, task, error) &&
              atomic_file_possible(task->path, file_kind_rule(FILE_CLASSIFIER), error) &&
              build(t, error) && train(t, task->quiet, error) && test(t, error);
    if (ok) {
        hand_over(t);
        ok = feature_net_write(t->net, error);
    }
    release(t);
    feature_net_close(t->net);
    memory_free(t);
    return ok;
}
