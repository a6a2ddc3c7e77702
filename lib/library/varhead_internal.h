/* Private to the library: what its functions share.
 *
 * A function of varhead.h that can fail has this form:
 *
 *     Call call;
 *     bool ok = call_begin(&call) && check(...) && work(..., &call.error);
 *     return call_end(&call, ok, error);
 */
#pragma once

#include "base/error.h"
#include "base/seed.h"
#include "hdf5/hdf5_messages.h"
#include "inference/network.h"
#include "inference/sampler.h"
#include "library/varhead.h"

#include <locale.h>

struct VarheadOptions {
    /* Of the model. */
    int64_t batch;
    int64_t threads; /* 0: as many as OpenMP says */
    PrecisionChoice precision;
    bool try_files;

    /* Of samples and bounds. */
    const Variance *variance; /* NULL: the model's own */
    Sampler sampler;
    TrajectoryKind trajectory;
    int64_t steps; /* 0: by default */
    Seed seed;
    double eta, clip_pixel; /* NAN: by default */
    bool clip_x0;
    bool has_clip_cov; /* else as clip_x0 */
    bool clip_cov;
    EstimateOptions estimate; /* its clip is not read */
};

struct VarheadModel {
    Network *network;
    int threads;
    char *recipe;
    const char *variances[VARIANCE_COUNT]; /* NULL after the last, unless all are there */
};

/* -- Calls ------------------------------------------------------------------------------------ */

/* What a call changes in the process or in its thread, to be put back at its end. */
typedef struct Call {
    Error error;
    bool holds_lock;
    locale_t locale; /* the caller's */
    int threads;     /* of OpenMP before the call; 0: not changed */
    int dynamic;
    bool reads_files; /* the next two were changed */
    Hdf5Messages messages;
    bool tries;
} Call;

/* Begins a call: waits for others, sets the locale C. False, with call->error, inside an OpenMP
 * parallel region. call_end must follow in any case. */
bool call_begin(Call *call);

/* For calls that compute: OpenMP has that many threads until the end. Returns true. */
bool call_uses_threads(Call *call, int threads);

/* For calls that read HDF5 files: HDF5 says nothing until the end, and tries files in a child
 * process only if asked. Returns true. */
bool call_reads_files(Call *call, bool try_files);

/* Ends it. Returns the code, and fills in *error unless that is NULL. */
int call_end(Call *call, bool ok, VarheadError *error);

/* An input error if an argument is NULL; `name` is the parameter's. */
static inline bool call_has(const void *argument, const char *name, Error *error)
{
    if (!argument)
        error_input(error, "%s: expected a pointer, got NULL", name);
    return argument != NULL;
}

/* An input error unless `count` images are 0 to IMAGE_ARRAY_LIMIT. */
bool call_count_is_possible(int64_t count, Error *error);

/* -- Options ---------------------------------------------------------------------------------- */

/* The options, or the defaults where they are NULL. */
VarheadOptions options_or_defaults(const VarheadOptions *options);

/* The options' variance or the model's. An input error if the model lacks what it needs. */
bool options_variance(const VarheadOptions *options, const VarheadModel *model,
                      const Variance **variance, Error *error);

/* What is done to an estimate of Cov[x_0 | x_t]. */
EstimateOptions options_estimate(const VarheadOptions *options);

/* The options' number of steps, or the default. An input error if the model has fewer timesteps. */
bool options_steps(const VarheadOptions *options, const VarheadModel *model, int *steps,
                   Error *error);

/* *timesteps [steps + 1] := the options' trajectory of a variance; caller frees with
 * memory_free, in any case. */
bool options_timesteps(const VarheadOptions *options, const VarheadModel *model,
                       const Variance *variance, int steps, int **timesteps, Error *error);
