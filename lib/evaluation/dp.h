/* The best trajectories of a network: found on training images, kept for later.
 *
 * For each variance a file dp-<variance>.h5 lies beside the checkpoints. It holds what every step t -> s
 * costs, from which the best K of the N timesteps follow at once for any K (diffusion/best_path.h):
 *
 *     attributes  format "varhead-dp", version 1, network (a fingerprint of the weights and of what else
 *                 the variance reads), images, seed, prior (bits/dim, on the same images)
 *     /costs      float64 [N + 1, N + 1]: entry [s][t], s < t, in bits per dimension; infinite elsewhere
 */
#pragma once

#include "inference/network.h"
#include "variance/estimate.h"

/* Which tables will do, and how they are found where there are none. */
typedef struct DpRequest {
    const Variance *const *variances;
    int variance_count;
    EstimateOptions estimate;
    int64_t
        images; /* training images to search on; IMAGES_UNSET: 100, but any that are there will do */
    Seed seed;  /* of their choice and noise; not given: the network's, likewise */
    const char *data; /* the training images; NULL: the configuration's */
    DType type;       /* of the network */
    bool fresh, quiet;
} DpRequest;

/* Makes sure that there are files for all variances of the request: one sweep finds those that are missing. Prepares
 * the network anew. An input error where a variance can have none (bound_check_tables). */
bool dp_prepare(Network *network, const DpRequest *request, Error *error);

/* timesteps [steps + 1] := the best trajectory for a variance by its file. An input error if there is
 * none, or one of another network; it names the command that makes it. */
bool dp_trajectory(const Network *network, const Variance *variance,
                   const EstimateOptions *estimate, int steps, int *timesteps, Error *error);
