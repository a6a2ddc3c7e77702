/* The variance that the network itself was trained to say (objective_vlb.c). It depends on s as well
 * as on t. */
#include "variance/learned.h"

#include "variance/variance.h"

#include <math.h>

LearnedRange learned_range(const Schedule *schedule, int s, int t)
{
    const double tilde =
        s > 0 ? schedule_beta_tilde(schedule, s, t) : schedule_beta_tilde(schedule, 1, 2);
    return (LearnedRange){.low = log(tilde), .high = log(schedule_skip_beta(schedule, s, t))};
}

/* A step t -> t adds no noise. */
static void learned(const VarianceInput *input, const ReverseStep *step, double *variance)
{
    const LearnedRange range = step->s < step->t ? learned_range(input->schedule, step->s, step->t)
                                                 : (LearnedRange){-INFINITY, -INFINITY};
    for (size_t i = 0; i < input->dims; i++)
        variance[i] =
            step->s < step->t ? exp(learned_log_variance(&range, (double)input->head[i])) : 0;
}

const Variance variance_learned = {
    .name = "learned",
    .help = "the network's own; DDPM only",
    .source = "Nichol & Dhariwal 2021",
    .head = "learned",
    .depends_on_step = true,
    .is_ddpm_only = true,
    .step_variance = learned,
};
