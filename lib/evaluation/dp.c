/* The best trajectories of a network (dp.h): finding, storing and reading the tables of step costs.
 *
 * dp_prepare checks which variances of the request have a usable file. One sweep
 * (evaluation/sweep.h) of a bound with tables finds all missing ones. Each table becomes a file,
 * marked with a fingerprint of the network. dp_trajectory reads a file, checks the fingerprint, and
 * runs the dynamic program of diffusion/best_path.h on the costs.
 */
#include "evaluation/dp.h"

#include "base/fingerprint.h"
#include "base/group.h"
#include "base/memory.h"
#include "diffusion/best_path.h"
#include "evaluation/sweep.h"
#include "hdf5/hdf5_file.h"
#include "inference/images.h"
#include "io/file_kind.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1 };

/* -- Files ------------------------------------------------------------------------------------ */

/* The path of a file in the run's directory, or beside the checkpoint. */
static char *file_beside(const Network *network, const char *name)
{
    const char *run = network_run(network), *origin = network_origin(network);
    const char *slash = strrchr(origin, '/');
    if (run)
        return memory_format("%s/%s", run, name);
    return slash ? memory_format("%.*s/%s", (int)(slash - origin), origin, name)
                 : memory_string(name);
}

/* The path of a variance's table. */
static char *path_of(const Network *network, const Variance *variance,
                     const EstimateOptions *estimate)
{
    char *name = memory_format("dp-%s.h5", estimate_label(estimate, variance).text);
    char *path = file_beside(network, name);
    memory_free(name);
    return path;
}

/* The attributes of a file. */
typedef struct Identity {
    int64_t version;
    /* The fields below are read only if the version is VERSION. */
    uint64_t network;
    int64_t images, seed, bf16;
} Identity;

static bool read_identity(Hdf5File *file, Identity *identity, Error *error)
{
    char *format = NULL;
    int64_t network = 0;
    bool ok = hdf5_read_attribute_string(file, "/", "format", &format, error);
    if (ok && strcmp(format, file_kind_format(FILE_STEP_COSTS)) != 0)
        ok = error_input(error, "%s: expected the format %s, found \"%.40s\"", hdf5_path(file),
                         file_kind_format(FILE_STEP_COSTS), format);
    memory_free(format);
    ok = ok && hdf5_read_attribute_int(file, "/", "version", &identity->version, error);
    if (!ok || identity->version != VERSION)
        return ok; /* the other attributes may differ in another version */
    ok = hdf5_read_attribute_int(file, "/", "network", &network, error) &&
         hdf5_read_attribute_int(file, "/", "images", &identity->images, error) &&
         hdf5_read_attribute_int(file, "/", "seed", &identity->seed, error) &&
         hdf5_read_attribute_int(file, "/", "bf16", &identity->bf16, error);
    identity->network = (uint64_t)network;
    return ok;
}

static bool write_file(const char *path, const Identity *identity, double prior,
                       const double *costs, int timesteps, Error *error)
{
    Hdf5File *file = NULL;
    const int64_t dims[] = {timesteps + 1, timesteps + 1};
    bool ok = hdf5_create_as(&file, path, file_kind_rule(FILE_STEP_COSTS), error) &&
              hdf5_write(file, "costs", HDF5_FLOAT64, 2, dims, costs, error) &&
              hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_STEP_COSTS),
                                          error) &&
              hdf5_write_attribute_int(file, "/", "version", VERSION, error) &&
              hdf5_write_attribute_int(file, "/", "network", (int64_t)identity->network, error) &&
              hdf5_write_attribute_int(file, "/", "images", identity->images, error) &&
              hdf5_write_attribute_int(file, "/", "seed", identity->seed, error) &&
              hdf5_write_attribute_int(file, "/", "bf16", identity->bf16, error) &&
              hdf5_write_attribute_double(file, "/", "prior", prior, error);
    if (ok)
        return hdf5_commit(file, error);
    hdf5_close(file);
    return false;
}

/* costs [N + 1, N + 1] := the costs in an open file. An input error if the file is of another
 * version or network, or damaged. The caller frees *costs, also after an error. */
static bool read_costs(const Network *network, const Variance *variance, Hdf5File *file,
                       double **costs, Error *error)
{
    const char *path = hdf5_path(file);
    const int64_t entries = network_schedule(network)->timesteps + 1, dims[] = {entries, entries};
    int64_t found[] = {entries, entries};
    Identity identity = {0};
    if (!read_identity(file, &identity, error))
        return false;
    if (identity.version != VERSION)
        return error_input(error, "%s: expected version %d of its format, found %lld", path,
                           VERSION, (long long)identity.version);
    if (identity.network != network_fingerprint(network, variance))
        return error_input(error, "%s: is of another network", path);
    if (!hdf5_expect(file, "costs", HDF5_FLOAT64, 2, found, error) ||
        !(*costs = memory_large((size_t)entries, (size_t)entries * sizeof(double),
                                "the costs of steps", error)) ||
        !hdf5_read(file, "costs", HDF5_FLOAT64, 2, dims, *costs, error))
        return false;
    for (int64_t s = 0; s < entries; s++)
        for (int64_t t = s + 1; t < entries; t++)
            if (!isfinite((*costs)[s * entries + t]))
                return error_input(error, "%s:/costs: expected finite costs, found %g", path,
                                   (*costs)[s * entries + t]);
    return true;
}

/* -- Finding ---------------------------------------------------------------------------------- */

/* Whether a file was made with the options of the request. An option that is not given matches any
 * value; images of --data never match. */
static bool is_as_asked(const DpRequest *request, const Identity *identity)
{
    return identity->bf16 == (request->type == DTYPE_BF16) && !request->data &&
           (request->images == IMAGES_UNSET || identity->images == request->images) &&
           (!request->seed.given || (uint64_t)identity->seed == request->seed.value);
}

/* *there := whether a variance has a complete file for this network and this request. A file
 * doesn't say which images of --data it was made with, so --data always makes a new one. A file
 * with other tables will be replaced. A file that holds no tables is an error, and is not
 * touched. */
static bool is_there(const Network *network, const DpRequest *request, const Variance *variance,
                     bool *there, Error *error)
{
    char *path = path_of(network, variance, &request->estimate);
    Hdf5File *file = NULL;
    Identity identity = {0};
    double *costs = NULL;
    Error useless;
    bool ok = true;
    *there = false;
    if (access(path, F_OK) == 0) {
        ok = hdf5_open(&file, path, error) && read_identity(file, &identity, error);
        *there = ok && !request->fresh && is_as_asked(request, &identity) &&
                 read_costs(network, variance, file, &costs, &useless);
    }
    ok = ok && (*there || atomic_file_possible(path, file_kind_rule(FILE_STEP_COSTS), error));
    memory_free(costs);
    hdf5_close(file);
    memory_free(path);
    return ok;
}

/* A text of everything that the tables depend on. The caller frees it. */
static char *key_of(const Network *network, const DpRequest *request, const BoundTask *task)
{
    const size_t bytes = (size_t)task->images * network_dims(network) * sizeof(float);
    char *key = memory_format(
        "tables of %d images %016llx, seed %llu, %s, floor %.17g, scale %.17g", task->images,
        (unsigned long long)fingerprint(FINGERPRINT_START, task->x_0, bytes),
        (unsigned long long)task->seed, request->arithmetic, request->estimate.floor,
        request->estimate.scale);
    for (int v = 0; v < task->variance_count; v++) {
        char *longer = memory_format(
            "%s; %s %016llx", key, estimate_label(&request->estimate, task->variances[v]).text,
            (unsigned long long)network_fingerprint(network, task->variances[v]));
        memory_free(key);
        key = longer;
    }
    return key;
}

static bool store_tables(const Network *network, const DpRequest *request, const Bound *bound,
                         const BoundTask *task, Error *error)
{
    const int timesteps = network_schedule(network)->timesteps;
    const size_t size = ((size_t)timesteps + 1) * ((size_t)timesteps + 1);
    bool ok = true;
    for (int v = 0; ok && v < task->variance_count; v++) {
        const Identity identity = {.network = network_fingerprint(network, task->variances[v]),
                                   .images = task->images,
                                   .seed = (int64_t)task->seed,
                                   .bf16 = request->type == DTYPE_BF16};
        char *path = path_of(network, task->variances[v], &request->estimate);
        ok = write_file(path, &identity, bound_prior(bound),
                        bound_sums(bound)->tables + (size_t)v * size, timesteps, error);
        memory_free(path);
    }
    return ok;
}

/* All costs must be finite, because read_costs refuses a table with others. */
static bool check_tables(const Network *network, const BoundTask *task, const Bound *bound,
                         Error *error)
{
    const size_t entries = (size_t)network_schedule(network)->timesteps + 1;
    for (int v = 0; v < task->variance_count; v++) {
        const double *costs = bound_sums(bound)->tables + (size_t)v * entries * entries;
        for (size_t s = 0; s < entries; s++)
            for (size_t t = s + 1; t < entries; t++)
                if (!isfinite(costs[s * entries + t]))
                    return error_runtime(
                        error,
                        "%s: with %s the step from t = %zu to %zu costs %g bits per "
                        "dimension; the network predicts numbers that are not finite",
                        network_file(network, 0), task->variances[v]->name, t, s,
                        costs[s * entries + t]);
    }
    return true;
}

/* Runs the sweep and writes the files of all variances of the task. */
static bool find(Network *network, const DpRequest *request, const BoundTask *task, Error *error)
{
    const Predictor predictor = network_predictor(network, &request->estimate);
    Bound *bound = NULL;
    char *key = key_of(network, request, task);
    char *unfinished = file_beside(network, "dp.unfinished.h5");
    const SweepOptions options = {.what = "steps",
                                  .unfinished = unfinished,
                                  .key = key,
                                  .fresh = request->fresh,
                                  .quiet = request->quiet};
    bool ok = atomic_file_possible(unfinished, file_kind_rule(FILE_SWEEP), error) &&
              bound_make(&bound, &predictor, task, error) &&
              sweep_run(bound, task, predictor.source.schedule, &options, error) &&
              check_tables(network, task, bound, error) &&
              store_tables(network, request, bound, task, error);
    ok = group_agree(ok, error); /* all processes will read the tables */
    if (ok)
        sweep_forget(&options);
    bound_free(bound);
    memory_free(unfinished);
    memory_free(key);
    return ok;
}

/* missing [*count] := the variances whose tables are not there. All processes must find the same. */
static bool find_missing(const Network *network, const DpRequest *request, const Variance **missing,
                         int *count, Error *error)
{
    bool ok = true;
    *count = 0;
    for (int v = 0; ok && v < request->variance_count; v++) {
        bool there = false;
        ok = bound_check_tables(request->variances[v], error) &&
             is_there(network, request, request->variances[v], &there, error);
        if (ok && !there)
            missing[(*count)++] = request->variances[v];
    }
    return group_agree(ok, error) &&
           group_check_same((uint64_t)*count, network_origin(network), error);
}

bool dp_prepare(Network *network, const DpRequest *request, Error *error)
{
    const Variance *missing[VARIANCE_COUNT];
    int count;
    bool ok = find_missing(network, request, missing, &count, error);
    if (!ok || count == 0)
        return ok;

    Images images = {0};
    const uint64_t seed = seed_or(request->seed, network_config(network)->seed);
    ok = images_train(&images, network, request->data, "--dp-images", request->images, seed,
                      error) &&
         network_prepare(network, images.count, error);
    if (ok) {
        const BoundTask task = {.variances = missing,
                                .variance_count = count,
                                .tables = true,
                                .images = images.count,
                                .x_0 = images.x_0,
                                .seed = seed,
                                .split = IMAGES_TRAIN};
        ok = find(network, request, &task, error);
    }
    images_free(&images);
    return ok;
}

/* -- Using ------------------------------------------------------------------------------------ */

/* The command-line options that give this estimate. The caller frees them. */
static char *options_text(const EstimateOptions *estimate)
{
    char *floor = estimate->floor > 0 ? memory_format(" --cov-floor %.9g", estimate->floor) : NULL;
    char *scale = estimate->scale != 1 ? memory_format(" --cov-scale %.9g", estimate->scale) : NULL;
    char *text = memory_format("%s%s%s", estimate->average ? " --average-cov" : "",
                               floor ? floor : "", scale ? scale : "");
    memory_free(floor);
    memory_free(scale);
    return text;
}

bool dp_trajectory(const Network *network, const Variance *variance,
                   const EstimateOptions *estimate, int steps, int *timesteps, Error *error)
{
    const int all = network_schedule(network)->timesteps;
    if (!bound_check_tables(variance, error))
        return false;
    if (steps < 1 || steps > all)
        return error_input(error, "a trajectory has from 1 to %d steps, not %d", all, steps);
    double *costs = NULL;
    Hdf5File *file = NULL;
    char *path = path_of(network, variance, estimate), *options = options_text(estimate);
    bool ok = access(path, F_OK) == 0 || error_input(error, "%s: no such file", path);
    ok = (ok && hdf5_open(&file, path, error) &&
          read_costs(network, variance, file, &costs, error)) ||
         error_add(error, "; infer nll --trajectory dp --variance %s --%s %s%s makes it",
                   variance->name, network_run(network) ? "run" : "checkpoint",
                   network_origin(network), options);
    ok = ok && best_path(costs, all, steps, timesteps, error);
    memory_free(costs);
    hdf5_close(file);
    memory_free(options);
    memory_free(path);
    return ok;
}
