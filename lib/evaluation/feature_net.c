/* The classifier in whose features images are compared: its file and its forward pass
 * (feature_net.h).
 *
 * The file holds the settings as attributes and a tensor for each parameter. Reading learns the
 * shapes by building the graph once, and checks the weights against the fingerprint in the name.
 * Images are evaluated in batches of 128; the last batch is filled up with zeros.
 */
#include "evaluation/feature_net.h"

#include "base/fingerprint.h"
#include "base/finite.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "io/file_kind.h"

#include <string.h>

enum {
    VERSION = 2,
    BATCH = 128,
    MAX_RESOLUTION = 4096,
    MAX_CHANNELS = 1024,
    MAX_WIDTH = 512,
    MAX_BLOCKS = 8
};

char *feature_net_name(const float *weights, size_t size)
{
    const uint64_t print = fingerprint(FINGERPRINT_START, weights, size * sizeof *weights);
    return memory_format("cnn%d-%08x", CLASSIFIER_FEATURES, (unsigned)(print >> 32));
}

/* -- The file --------------------------------------------------------------------------------- */

/* Calls `visit` for every tensor of weights, until one fails. */
static bool each_tensor(const FeatureNet *net, Hdf5File *file,
                        bool (*visit)(Hdf5File *file, const char *name, const Param *param,
                                      float *values, Error *error),
                        Error *error)
{
    bool ok = true;
    for (int i = 0; ok && i < net->params.count; i++) {
        const Param *param = &net->params.items[i];
        char *name = memory_format("weights/%s", param->name);
        ok = visit(file, name, param, net->weights + param->offset, error);
        memory_free(name);
    }
    return ok;
}

static void shape_of(const Param *param, int64_t dims[PARAM_MAX_RANK])
{
    for (int d = 0; d < param->rank; d++)
        dims[d] = param->shape[d];
}

static bool write_tensor(Hdf5File *file, const char *name, const Param *param, float *values,
                         Error *error)
{
    int64_t dims[PARAM_MAX_RANK];
    shape_of(param, dims);
    return hdf5_write(file, name, HDF5_FLOAT32, param->rank, dims, values, error);
}

static bool read_tensor(Hdf5File *file, const char *name, const Param *param, float *values,
                        Error *error)
{
    int64_t dims[PARAM_MAX_RANK];
    shape_of(param, dims);
    if (!hdf5_read(file, name, HDF5_FLOAT32, param->rank, dims, values, error))
        return false;
    const size_t found = finite_floats(values, param->count);
    return found == param->count || error_input(error, "%s:/%s: expected finite numbers, found %g",
                                                hdf5_path(file), name, (double)values[found]);
}

static bool write_attributes(const FeatureNet *net, Hdf5File *file, Error *error)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"version", VERSION},
                   {"resolution", net->shape.resolution},
                   {"channels", net->shape.channels},
                   {"classes", net->shape.classes},
                   {"width", net->shape.width},
                   {"blocks", net->shape.blocks},
                   {"steps", net->steps},
                   {"seed", net->seed},
                   {"test_images", net->test_images}};
    bool ok = hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_CLASSIFIER),
                                          error) &&
              hdf5_write_attribute_string(file, "/", "name", net->name, error) &&
              hdf5_write_attribute_string(file, "/", "data", net->data, error) &&
              hdf5_write_attribute_double(file, "/", "accuracy", net->accuracy, error);
    for (size_t i = 0; ok && i < sizeof numbers / sizeof numbers[0]; i++)
        ok = hdf5_write_attribute_int(file, "/", numbers[i].name, numbers[i].value, error);
    return ok;
}

bool feature_net_write(const FeatureNet *net, Error *error)
{
    Hdf5File *file = NULL;
    if (!hdf5_create_as(&file, net->path, file_kind_rule(FILE_CLASSIFIER), error))
        return false;
    if (write_attributes(net, file, error) && each_tensor(net, file, write_tensor, error))
        return hdf5_commit(file, error);
    hdf5_close(file);
    return false;
}

/* *version := that of the file. */
static bool check_format(Hdf5File *file, int64_t *version, Error *error)
{
    char *format = NULL;
    Error missing;
    const bool is_one = hdf5_attribute_exists(file, "/", "format") &&
                        hdf5_read_attribute_string(file, "/", "format", &format, &missing) &&
                        strcmp(format, file_kind_format(FILE_CLASSIFIER)) == 0;
    memory_free(format);
    if (!is_one)
        return error_input(error,
                           "%s: is no classifier (its attribute format is not %s); name "
                           "another file with --classifier",
                           hdf5_path(file), file_kind_format(FILE_CLASSIFIER));
    if (!hdf5_read_attribute_int(file, "/", "version", version, error))
        return false;
    return (*version >= 1 && *version <= VERSION) ||
           error_input(error, "%s: is of version %lld, expected 1 to %d", hdf5_path(file),
                       (long long)*version, VERSION);
}

/* *number := an attribute. An input error if it is not from `least` to `most`. */
static bool read_number(Hdf5File *file, const char *name, int64_t least, int64_t most, int *number,
                        Error *error)
{
    int64_t value = 0;
    if (!hdf5_read_attribute_int(file, "/", name, &value, error))
        return false;
    *number = (int)value;
    return (value >= least && value <= most) ||
           error_input(error, "%s: attribute %s: expected %lld to %lld, found %lld",
                       hdf5_path(file), name, (long long)least, (long long)most, (long long)value);
}

/* The first version had one structure. */
static bool read_structure(ClassifierShape *shape, Hdf5File *file, int64_t version, Error *error)
{
    if (version == 1) {
        shape->width = 16;
        return true;
    }
    if (!read_number(file, "width", 4, MAX_WIDTH, &shape->width, error) ||
        !read_number(file, "blocks", 0, MAX_BLOCKS, &shape->blocks, error))
        return false;
    return shape->width % 4 == 0 ||
           error_input(error, "%s: attribute width: expected a multiple of 4, found %d",
                       hdf5_path(file), shape->width);
}

static bool read_attributes(FeatureNet *net, Hdf5File *file, Error *error)
{
    ClassifierShape *shape = &net->shape;
    int64_t version = 0;
    return check_format(file, &version, error) &&
           read_number(file, "resolution", 1, MAX_RESOLUTION, &shape->resolution, error) &&
           read_number(file, "channels", 1, MAX_CHANNELS, &shape->channels, error) &&
           read_number(file, "classes", 2, CLASSIFIER_MAX_CLASSES, &shape->classes, error) &&
           read_structure(shape, file, version, error) &&
           hdf5_read_attribute_string(file, "/", "name", &net->name, error) &&
           hdf5_read_attribute_string(file, "/", "data", &net->data, error) &&
           hdf5_read_attribute_int(file, "/", "steps", &net->steps, error) &&
           hdf5_read_attribute_int(file, "/", "seed", &net->seed, error) &&
           hdf5_read_attribute_int(file, "/", "test_images", &net->test_images, error) &&
           hdf5_read_attribute_double(file, "/", "accuracy", &net->accuracy, error);
}

static bool check_images(const FeatureNet *net, const Config *config, Error *error)
{
    const ClassifierShape *shape = &net->shape;
    if (shape->resolution == config->data.resolution && shape->channels == config->data.channels)
        return true;
    return error_input(error,
                       "%s: classifies images of %d x %d pixels and %d channels, expected %d x %d "
                       "and %d; name another file with --classifier",
                       net->path, shape->resolution, shape->resolution, shape->channels,
                       config->data.resolution, config->data.resolution, config->data.channels);
}

/* Fills net->params. Building a graph registers the parameters; a graph that is never finished
 * takes nearly no time or memory. */
static void learn_shapes(FeatureNet *net)
{
    Graph *graph = graph_new(&net->params, (GraphOptions){.batch = 1});
    classifier_build(graph, &net->shape);
    graph_free(graph);
}

static bool allocate_weights(FeatureNet *net, Error *error)
{
    net->weights = memory_large(net->params.size, sizeof(float), "a classifier", error);
    return net->weights != NULL;
}

/* The weights must have the fingerprint that the name contains. HDF5's checksums protect each array
 * by itself; the name protects their combination. */
static bool check_name(const FeatureNet *net, Error *error)
{
    char *name = feature_net_name(net->weights, net->params.size);
    const bool same = strcmp(name, net->name) == 0;
    memory_free(name);
    return same || error_input(error,
                               "%s: is damaged, its weights are not those of %.60s; remove it, and "
                               "it is trained anew",
                               net->path, net->name);
}

static bool read_file(FeatureNet *net, const Config *config, Error *error)
{
    Hdf5File *file = NULL;
    bool ok = hdf5_open(&file, net->path, error) && read_attributes(net, file, error) &&
              check_images(net, config, error);
    if (ok)
        learn_shapes(net);
    ok = ok && allocate_weights(net, error) && each_tensor(net, file, read_tensor, error) &&
         check_name(net, error);
    hdf5_close(file);
    return ok;
}

/* -- Opening ---------------------------------------------------------------------------------- */

static bool build(FeatureNet *net, Error *error)
{
    net->graph = graph_new(&net->params, (GraphOptions){.batch = BATCH});
    net->net = classifier_build(net->graph, &net->shape);
    if (!graph_finish(net->graph, error))
        return false;
    graph_load_weights(net->graph, net->weights);
    return true;
}

bool feature_net_open(FeatureNet **result, const char *path, const Config *config, Error *error)
{
    *result = NULL;
    FeatureNet *net = memory_small(1, sizeof *net);
    net->path = memory_string(path);
    const bool ok = read_file(net, config, error) && build(net, error);
    if (ok)
        *result = net;
    else
        feature_net_close(net);
    return ok;
}

void feature_net_close(FeatureNet *net)
{
    if (!net)
        return;
    graph_free(net->graph);
    params_free(&net->params);
    memory_free(net->weights);
    memory_free(net->name);
    memory_free(net->data);
    memory_free(net->path);
    memory_free(net);
}

/* -- Evaluating ------------------------------------------------------------------------------- */

bool feature_net_evaluate(FeatureNet *net, const float *images, int count, float *features,
                          Error *error)
{
    const size_t side = (size_t)net->shape.resolution;
    const size_t dims = side * side * (size_t)net->shape.channels;
    for (int first = 0; first < count; first += BATCH) {
        const size_t part = (size_t)(count - first < BATCH ? count - first : BATCH);
        float *input = value_data(net->net.images);
        if (!interrupt_continues(error))
            return false;
        memcpy(input, images + (size_t)first * dims, part * dims * sizeof *input);
        memset(input + part * dims, 0, (BATCH - part) * dims * sizeof *input);
        if (!graph_forward(net->graph, 0, error))
            return false;
        memcpy(features + (size_t)first * CLASSIFIER_FEATURES, value_data(net->net.features),
               part * CLASSIFIER_FEATURES * sizeof *features);
    }
    return true;
}
