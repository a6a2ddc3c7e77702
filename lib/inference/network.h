/* The network: the one place from which every command gets it.
 *
 *     network_open       finds the checkpoints, reads the weights (always the moving averages), joins
 *                        the heads of several files; what the network can do is known from here on
 *     network_prepare    builds the graphs, for a batch size that suits the work
 *     network_evaluate   eps and any of the heads at given x_t and t, any number of images at once:
 *                        one pass of the trunk serves all heads
 *
 * A run directory may hold files of different ages. Its newest stage-2 file decides which trunk is
 * used; what belongs to another trunk, or is older than the same head elsewhere, is left out, and a
 * note says so. Files named one by one must agree in every bit of their trunks.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "diffusion/mixture.h"
#include "diffusion/schedule.h"
#include "engine/dtype.h"
#include "engine/params.h"
#include "inference/run_files.h"
#include "variance/predictor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Network Network;

typedef struct NetworkOptions {
    NetworkSource source;
    int64_t batch; /* images per run of the network, at most */
    DType type;    /* of its products and of what lies between them */
} NetworkOptions;

/* What is left out or preferred where files disagree, notes say (base/note.h). */
bool network_open(Network **network, const NetworkOptions *options, Error *error);
void network_close(Network *network); /* NULL is fine */

/* -- What there is ---------------------------------------------------------------------------- */

/* The configuration in the trunk's checkpoint. */
const Config *network_config(const Network *network);
const Schedule *network_schedule(const Network *network);

/* Elements of an image: resolution * resolution * channels. */
size_t network_dims(const Network *network);

/* How many numbers the trunk and all heads have together. */
size_t network_parameters(const Network *network);

int network_heads(const Network *network);
const char *network_head_name(const Network *network, int head); /* "sn" */
int network_find_head(const Network *network, const char *name); /* -1 if there is none */

/* E||eps_hat(x_t, t)||^2 / d for t = 0 .. N, the number that the variance analytic needs; NULL where
 * no checkpoint has it. */
const double *network_ms_eps(const Network *network);

/* E[eps_hat_i^2] for t = 0 .. N and every dimension i, [N + 1, dims] in NHWC: what analytic_diag needs;
 * NULL where no checkpoint has it. */
const float *network_ms_eps_diag(const Network *network);

/* The mixture that the network's data are drawn from: what the variance exact needs; NULL where they are
 * something else. */
const Mixture *network_mixture(const Network *network);

/* The run directory that the network came from; NULL if it was files. And either, as --run or
 * --checkpoint would name it. */
const char *network_run(const Network *network);
const char *network_origin(const Network *network);

/* Tells apart networks, and of each what a variance reads besides: its head, its constants. */
uint64_t network_fingerprint(const Network *network, const Variance *variance);

/* The same for all variances that it has together. */
uint64_t network_identity(const Network *network);

/* The checkpoints that have this very network: that of the trunk, and others with the same one. */
int network_files(const Network *network);
const char *network_file(const Network *network, int file);

/* An input error if the variance needs a head, the analytic constants or a mixture and they are not there;
 * it names the command that makes them. */
bool network_check_variance(const Network *network, const Variance *variance, Error *error);

/* variances [VARIANCE_COUNT] := those of the table that the network can have, in its order. Returns how many. */
int network_variances(const Network *network, const Variance **variances);

/* -- Evaluating ------------------------------------------------------------------------------- */

/* Gets ready for `count` images: chooses the batch size, at most --batch, so that the fewest runs
 * serve and the last has the least padding. May be called again for another count. */
bool network_prepare(Network *network, int64_t count, Error *error);
int network_batch(const Network *network);

/* Evaluates at x [count, dims], NHWC, image i at timestep t[i], 0 .. N. An image's result depends
 * on the batch size and on its place in the batch to rounding at most. Stops with an error on
 * SIGINT or SIGTERM. */
bool network_evaluate(Network *network, const float *x, const int *t, int count,
                      const Prediction *outputs, Error *error);

/* The network as the bound sees it. It must be prepared, and must outlive the predictor. */
Predictor network_predictor(Network *network, const EstimateOptions *options);

/* -- Constants -------------------------------------------------------------------------------- */

/* What is measured of a network once and for all: `infer analytic` makes it. Entry 0, the data, where
 * nothing is predicted, is 1, so that the variance 1 - E is 0. */
typedef struct NetworkConstants {
    double *ms_eps;        /* [N + 1]: E||eps_hat(x_t, t)||^2 / d */
    double *ms_eps_stderr; /* [N + 1]: its standard error */
    float *ms_eps_diag;    /* [N + 1, C, H, W]: E[eps_hat_i^2] */
    int64_t images;        /* how many they are means over */
    int64_t timesteps;     /* how many were measured; between them they are interpolated */
    int64_t seed;          /* of their noise */
} NetworkConstants;

/* Whether the files could be replaced, and what is in them be kept; an error names what could not. */
bool network_check_storing(const Network *network, Error *error);

/* Adds the constants to every file that has this very network, in place of those that it has. A file
 * is replaced whole or not at all, and what else is in it stays as it is. A file that was written
 * since the network was read, and has another by now, is an error; the others get them all the same. */
bool network_store(const Network *network, const NetworkConstants *constants, Error *error);

/* -- Shapes ----------------------------------------------------------------------------------- */

/* The tensors of the trunk and of a head that `config` describes, with so many bins of timesteps; for
 * params_free. */
void network_shapes(const Config *config, int bins, ParamSet *trunk, ParamSet *head);
