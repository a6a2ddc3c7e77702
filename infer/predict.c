/* infer predict: evaluates the network at given points.
 *
 * Points are read, evaluated and written some batches at a time, so that memory does not grow with
 * their number. The file of predictions gets its name when it is complete.
 */
#include "base/memory.h"
#include "base/progress.h"
#include "infer/command.h"
#include "inference/image_array.h"
#include "inference/network.h"
#include "io/output.h"

#include <stdio.h>

static const char usage[] =
    "usage: infer predict --input F.h5 --output G.h5 [options]\n"
    "\n"
    "Evaluates the network at given points. F.h5 holds\n"
    "\n"
    "  /x  floating-point [n, C, H, W]   the images x_t, scaled to [-1, 1]\n"
    "  /t  integer [n]                   their timesteps, 0 to N\n"
    "\n"
    "G.h5 gets /eps, the predicted noise, and for each variance head an array of the\n"
    "head's name: float32 [n, C, H, W], raw outputs, neither clipped nor combined.\n"
    "\n"
    "examples:\n"
    "  infer predict --input points.h5 --output predictions.h5\n"
    "  infer predict --checkpoint stage2-sn.h5 --checkpoint stage2-npr.h5 \\\n"
    "                --input points.h5 --output predictions.h5\n"
    "\n";

/* The number of batches that are read and written at a time. */
enum { GROUP = 2 };

typedef struct Predict {
    CommonOptions common;
    const char *input_path, *output_path;

    Network *network;
    int64_t count;
    /* [count] */
    int *t;
    Hdf5File *input, *output;
    ImageArray x, eps, heads[PREDICTOR_MAX_HEADS];
    /* [GROUP * batch, dims]. */
    float *images;
    Prediction results;
} Predict;

/* -- Preparation ------------------------------------------------------------------------------ */

static bool parse(Predict *p, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to evaluate"),
        option_string("input", "FILE", &p->input_path, "the HDF5 file with /x and /t; required"),
        option_string("output", "FILE", &p->output_path,
                      "the HDF5 file to be written, .h5; replaces an earlier one; required"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &p->common, argc, argv, NULL, stop, error);
}

static bool read_timesteps(Predict *p, Error *error)
{
    const int last = network_schedule(p->network)->timesteps;
    int64_t *values = memory_large((size_t)p->count, sizeof *values, "timesteps", error);
    p->t = memory_large((size_t)p->count, sizeof *p->t, "timesteps", error);
    bool ok = values && p->t && hdf5_read(p->input, "t", HDF5_INT64, 1, &p->count, values, error);
    for (int64_t i = 0; ok && i < p->count; i++) {
        if (values[i] < 0 || values[i] > last)
            ok = error_input(error,
                             "%s:/t: expected timesteps from 0 to %d, found %lld (entry "
                             "%lld)",
                             p->input_path, last, (long long)values[i], (long long)i);
        else
            p->t[i] = (int)values[i];
    }
    memory_free(values);
    return ok;
}

static bool open_input(Predict *p, Error *error)
{
    p->count = HDF5_ANY;
    return hdf5_open(&p->input, p->input_path, error) &&
           image_array_open(&p->x, p->input, "x", network_config(p->network), &p->count, error) &&
           read_timesteps(p, error);
}

static bool check_output(const Predict *p, Error *error)
{
    OutputInputs inputs = command_inputs(p->network, &p->common);
    output_inputs_add(&inputs, "the file of --input", p->input_path);
    return output_check(p->output_path, FILE_PREDICTIONS, &inputs, error);
}

static bool begin_output(Predict *p, Error *error)
{
    const Config *config = network_config(p->network);
    bool ok = hdf5_create_as(&p->output, p->output_path, file_kind_rule(FILE_PREDICTIONS), error) &&
              hdf5_write_attribute_string(p->output, "/", "format",
                                          file_kind_format(FILE_PREDICTIONS), error) &&
              image_array_create(&p->eps, p->output, "eps", config, p->count, error);
    for (int i = 0; ok && i < network_heads(p->network); i++)
        ok = image_array_create(&p->heads[i], p->output, network_head_name(p->network, i), config,
                                p->count, error);
    return ok;
}

static bool allocate(Predict *p, Error *error)
{
    size_t images = GROUP * (size_t)network_batch(p->network);
    size_t bytes = network_dims(p->network) * sizeof(float);
    bool ok = (p->images = memory_large(images, bytes, "images", error)) != NULL &&
              (p->results.eps = memory_large(images, bytes, "predictions", error)) != NULL;
    for (int i = 0; ok && i < network_heads(p->network); i++)
        ok = (p->results.heads[i] = memory_large(images, bytes, "predictions", error)) != NULL;
    return ok;
}

/* -- Work ------------------------------------------------------------------------------------- */

static bool predict_some(Predict *p, int64_t first, int count, Error *error)
{
    bool ok = image_array_read(&p->x, first, count, p->images, error) &&
              network_evaluate(p->network, p->images, p->t + first, count, &p->results, error) &&
              image_array_write(&p->eps, first, count, p->results.eps, error);
    for (int i = 0; ok && i < network_heads(p->network); i++)
        ok = image_array_write(&p->heads[i], first, count, p->results.heads[i], error);
    return ok;
}

static bool predict_all(Predict *p, Error *error)
{
    const int group = GROUP * network_batch(p->network);
    Progress progress;
    progress_start(&progress, "predicting", 0, p->count, 1, "images/s", p->common.quiet);
    bool ok = true;
    for (int64_t first = 0; ok && first < p->count; first += group) {
        int64_t left = p->count - first;
        int count = left < group ? (int)left : group;
        ok = predict_some(p, first, count, error);
        if (ok)
            progress_update(&progress, first + count, "%s", "");
    }
    progress_finish(&progress);
    return ok;
}

static void close_output_arrays(Predict *p)
{
    image_array_close(&p->eps);
    for (int i = 0; i < PREDICTOR_MAX_HEADS; i++)
        image_array_close(&p->heads[i]);
}

static bool commit(Predict *p, Error *error)
{
    Hdf5File *output = p->output;
    close_output_arrays(p);
    p->output = NULL;
    return hdf5_commit(output, error);
}

static bool predict(Predict *p, Error *error)
{
    if (!p->input_path || !p->output_path)
        return error_input(error, "expected --input FILE and --output FILE");
    if (!output_check_name("--output", p->output_path, ".h5.hdf5", error))
        return false;
    if (!command_open_network(&p->common, &p->network, error) || !check_output(p, error) ||
        !open_input(p, error) || !begin_output(p, error) ||
        !network_prepare(p->network, p->count, error) || !allocate(p, error) ||
        !predict_all(p, error) || !commit(p, error))
        return false;
    if (!p->common.quiet) {
        printf("%s: eps", p->output_path);
        for (int i = 0; i < network_heads(p->network); i++)
            printf(", %s", network_head_name(p->network, i));
        printf(" of %lld images\n", (long long)p->count);
    }
    return true;
}

static void release(Predict *p)
{
    image_array_close(&p->x);
    close_output_arrays(p);
    hdf5_close(p->input);
    hdf5_close(p->output);
    memory_free(p->images);
    memory_free(p->results.eps);
    for (int i = 0; i < PREDICTOR_MAX_HEADS; i++)
        memory_free(p->results.heads[i]);
    memory_free(p->t);
    network_close(p->network);
    common_free(&p->common);
}

bool predict_command(int argc, char **argv, Error *error)
{
    Predict p = {0};
    bool stop = false;
    common_defaults(&p.common);
    bool ok = parse(&p, argc, argv, &stop, error) && (stop || predict(&p, error));
    release(&p);
    return ok;
}
