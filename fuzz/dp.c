/* The file of step costs beside a checkpoint (dp-<variance>.h5). Trajectories made of it rise from
 * 0 to N. */
#include "evaluation/dp.h"
#include "fuzz/target.h"

void fuzz_dp(const uint8_t *bytes, size_t size)
{
    static Network *network;
    const EstimateOptions estimate = estimate_defaults();
    Error error = {0};
    if (!network) {
        NetworkOptions options = {.batch = 1, .type = DTYPE_F32};
        string_list_add(&options.source.checkpoints, fuzz_network());
        if (!network_open(&network, &options, &error))
            fuzz_broken("the smallest network can be read");
        string_list_free(&options.source.checkpoints);
    }
    fuzz_file("dp-sn.h5", bytes, size);
    for (int steps = 1; steps <= FUZZ_TIMESTEPS; steps++) {
        int timesteps[FUZZ_TIMESTEPS + 1];
        if (!dp_trajectory(network, &variance_sn, &estimate, steps, timesteps, &error)) {
            fuzz_check_error(&error);
            continue;
        }
        if (timesteps[0] != 0 || timesteps[steps] != FUZZ_TIMESTEPS)
            fuzz_broken("a trajectory goes from 0 to N");
        for (int i = 0; i < steps; i++)
            if (timesteps[i] >= timesteps[i + 1])
                fuzz_broken("timesteps rise");
    }
}
