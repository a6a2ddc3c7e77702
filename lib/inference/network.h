/* The network: every command, and the library, get it here.
 *
 *     network_open       finds the checkpoints, reads the weights (always the moving averages), and
 *                        joins the heads of several files; what the network can do is known from
 *                        here on
 *     network_prepare    builds the graphs, for a batch that suits the work
 *     network_evaluate   eps and any of the heads at given x_t and t, for any number of images; one
 *                        pass of the trunk serves all heads
 *
 * A run directory may hold files of different ages. The newest stage-2 file decides which trunk is
 * used. Heads for another trunk are left out, and so is a head that a newer file has too; notes say
 * which (base/note.h). The trunks of files that the user names must agree in every bit.
 *
 * What functions return by pointer belongs to the network and lives until network_close. A network
 * is for one thread at a time.
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
    /* Images per run of the network, at most. */
    int64_t batch;
    /* Of its products, and of the values between them. */
    DType type;
    /* Convolutions are never computed by Winograd's algorithm. */
    bool direct;
} NetworkOptions;

/* "f32", "bf16" or "f32 direct": the arithmetic that results depend on. */
const char *network_arithmetic(const NetworkOptions *options);

/* *network := the network; NULL after a failure. */
bool network_open(Network **network, const NetworkOptions *options, Error *error);

/* NULL is fine. */
void network_close(Network *network);

/* -- What there is ---------------------------------------------------------------------------- */

/* The configuration in the trunk's checkpoint. */
const Config *network_config(const Network *network);
const Schedule *network_schedule(const Network *network);

/* Elements of an image: resolution * resolution * channels. */
size_t network_dims(const Network *network);

/* How many numbers the trunk and all heads have together. */
size_t network_parameters(const Network *network);

/* How many heads there are, the name of one ("sn"), and the head of a name (-1 if there is
 * none). */
int network_heads(const Network *network);
const char *network_head_name(const Network *network, int head);
int network_find_head(const Network *network, const char *name);

/* How many numbers a head has of its own, and the configuration that it was trained with. A head may be
 * the second output of the trunk. */
size_t network_head_parameters(const Network *network, int head);
bool network_head_is_output(const Network *network, int head);
const Config *network_head_config(const Network *network, int head);

/* [N + 1]: E||eps_hat(x_t, t)||^2 / d, which the variance analytic needs; NULL if no checkpoint
 * has it. */
const double *network_ms_eps(const Network *network);

/* [N + 1, dims], NHWC: E[eps_hat_i^2] of every dimension, which analytic_diag needs; NULL if no
 * checkpoint has it. */
const float *network_ms_eps_diag(const Network *network);

/* The correlations that the variance reads, if it is_correlated; NULL if there are none. */
const BlockCorrelation *network_correlation(const Network *network, const Variance *variance);

/* The mixture that the network's data are drawn from: needed by the variance true; NULL where
 * they are something else. */
const Mixture *network_mixture(const Network *network);

/* The run directory that the network came from, NULL if it came from files; and its origin of
 * either kind, the directory or the first file, as --run or --checkpoint names it. */
const char *network_run(const Network *network);
const char *network_origin(const Network *network);

/* A number that differs between networks that compute something else, by their weights or by their
 * configuration, and between heads and constants of the variance. */
uint64_t network_fingerprint(const Network *network, const Variance *variance);

/* One number for the network and for all variances that it has. */
uint64_t network_identity(const Network *network);

/* The checkpoints that have this trunk, bit for bit: how many, and the path of one. */
int network_files(const Network *network);
const char *network_file(const Network *network, int file);

/* An input error if the variance needs a head, the analytic constants or a mixture and they are
 * not there; it names the command that makes them. */
bool network_check_variance(const Network *network, const Variance *variance, Error *error);

/* variances [VARIANCE_COUNT] := those of the table that the network can have, in its order, but for
 * those that take many passes (Variance.reads_jacobian). Returns how many. */
int network_variances(const Network *network, const Variance **variances);

/* -- Evaluating ------------------------------------------------------------------------------- */

/* Gets ready for `count` images. Chooses the batch, at most NetworkOptions.batch, with the
 * fewest runs and then the least padding in the last. May be called again for another count, and
 * builds the graphs anew only for another batch. */
bool network_prepare(Network *network, int64_t count, Error *error);

/* Images per run, of all processes together; 0 before network_prepare. */
int network_batch(const Network *network);

/* Evaluates at x [count, dims], NHWC, image i at timestep t[i], 0 .. N. The result for an image
 * may differ in rounding with the batch and with the image's position in it. The network must be
 * prepared, for any count. Stops with an error after a signal (base/interrupt.h). */
bool network_evaluate(Network *network, const float *x, const int *t, int count,
                      const Prediction *outputs, Error *error);

/* The network as the bound sees it. It must be prepared, and must outlive the predictor. */
Predictor network_predictor(Network *network, const EstimateOptions *options);

/* -- Constants -------------------------------------------------------------------------------- */

/* Constants that `infer analytic` measures once for a network. Entry 0, the data, is 1, so that
 * the variance 1 - E is 0 there. */
typedef struct NetworkConstants {
    /* [N + 1]: E||eps_hat(x_t, t)||^2 / d, and its standard error. */
    double *ms_eps;
    double *ms_eps_stderr;
    /* [N + 1, C, H, W]: E[eps_hat_i^2]. */
    float *ms_eps_diag;
    /* Means are over this many images. */
    int64_t images;
    /* This many timesteps were measured; the others are interpolated. */
    int64_t timesteps;
    /* Of the noise. */
    int64_t seed;
} NetworkConstants;

/* An error if a file of the network can't be replaced, or if it holds something that could not
 * be kept; it names the file. */
bool network_check_storing(const Network *network, Error *error);

/* Writes the constants to every file of the network, in the place of earlier ones. A file is
 * replaced whole or not at all, and everything else in it stays. If a file got another network
 * since this one was read, that is an error; the other files get the constants all the same. */
bool network_store(const Network *network, const NetworkConstants *constants, Error *error);

/* -- Shapes ----------------------------------------------------------------------------------- */

/* The tensors of the trunk and of a head that `config` describes, the head with `bins` bins of
 * timesteps. The caller frees both with params_free. */
void network_shapes(const Config *config, int bins, ParamSet *trunk, ParamSet *head);
