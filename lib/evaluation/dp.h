/* The best trajectories of a network, found on training images and kept in files.
 *
 * Each variance has a file dp-<variance>.h5 beside the checkpoints. It holds the cost of every step
 * t -> s. The best K of the N timesteps follow from the costs quickly, for any K
 * (diffusion/best_path.h):
 *
 *     attributes  format "varhead-dp", version 1, network (a fingerprint of the weights and of the
 *                 head and constants that the variance reads), images, seed, bf16, prior (bits/dim,
 *                 on the same images)
 *     /costs      float64 [N + 1, N + 1]: entry [s][t], s < t, in bits per dimension; infinite
 *                 elsewhere
 */
#pragma once

#include "inference/network.h"
#include "variance/estimate.h"

/* Which tables are acceptable, and how missing ones are made. */
typedef struct DpRequest {
    const Variance *const *variances;
    int variance_count;
    EstimateOptions estimate;
    /* The number of training images. IMAGES_UNSET: an existing file may have any number; a new one
     * gets 100, or all if there are fewer. */
    int64_t images;
    /* Seeds the choice of images and the noise. Not given: an existing file may have any seed; a
     * new one gets the network's. */
    Seed seed;
    /* The training images; NULL: the configuration's. */
    const char *data;
    /* The precision of the network. */
    DType type;
    /* Its whole arithmetic in words (network_arithmetic). */
    const char *arithmetic;
    /* fresh: make all tables anew. */
    bool fresh, quiet;
} DpRequest;

/* Makes the files of the request's variances that are missing, all with one sweep. The sweep
 * prepares the network anew. An input error if a variance can't have tables
 * (bound_check_tables). */
bool dp_prepare(Network *network, const DpRequest *request, Error *error);

/* timesteps [steps + 1] := the best trajectory of a variance, by its file. An input error if the
 * file is missing or belongs to another network; the error names the command that makes the
 * file. */
bool dp_trajectory(const Network *network, const Variance *variance,
                   const EstimateOptions *estimate, int steps, int *timesteps, Error *error);
