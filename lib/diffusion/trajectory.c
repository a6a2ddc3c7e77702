/* Song et al. 2021, appendix D.2, with the arithmetic of the published code.
 *
 *     linear  t_k = 1 + (k - 1) (N - 1) / (K - 1)              rounded to the nearest integer
 *     quad    t_k = 1 + ((k - 1) sqrt(0.8 N) / (K - 1))^2      rounded down
 *
 * The order of the floating-point operations is the published code's as well: a running sum for
 * linear, and a product with the stride for quad. So every timestep is the same.
 */
#include "diffusion/trajectory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [TRAJECTORY_LINEAR] = "linear",
    [TRAJECTORY_QUAD] = "quad",
    [TRAJECTORY_DP] = "dp",
};

const char *trajectory_name(TrajectoryKind kind)
{
    return names[kind];
}

bool trajectory_parse(const char *name, TrajectoryKind *kind, Error *error)
{
    for (int i = 0; i < TRAJECTORY_KINDS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind = (TrajectoryKind)i;
            return true;
        }
    }
    return error_input(error, "expected linear, quad or dp, got \"%s\"", name);
}

/* A running sum from 1 to N. Each value is rounded to the nearest integer, a half to the even one
 * (rint). So K = 5 of N = 1000 gives 1, 251, 500, 750, 1000, although the middle value is 500.5. */
static void linear(int total, int steps, int *timesteps)
{
    if (steps == 1) {
        timesteps[1] = total;
        return;
    }
    double stride = (total - 1.0) / (steps - 1);
    double position = 1;
    for (int k = 1; k <= steps; k++) {
        timesteps[k] = (int)rint(position);
        position += stride;
    }
}

/* The squares of 0, ..., sqrt(0.8 N), truncated, plus 1. The last root is assigned, not computed
 * from the stride: the product with the rounded stride can be smaller than sqrt(0.8 N), and its
 * square smaller than an integer that it should reach. */
static void quad(int total, int steps, int *timesteps)
{
    double last = sqrt(0.8 * total);
    for (int k = 1; k <= steps; k++) {
        double root = k == steps ? last : (k - 1) * (last / (steps - 1));
        timesteps[k] = (int)(root * root) + 1;
    }
}

bool trajectory_make(TrajectoryKind kind, int total, int steps, int *timesteps, Error *error)
{
    assert(kind != TRAJECTORY_DP);
    if (steps < 1 || steps > total)
        return error_input(error, "a trajectory has from 1 to %d steps, not %d", total, steps);
    timesteps[0] = 0;
    if (kind == TRAJECTORY_LINEAR)
        linear(total, steps, timesteps);
    else
        quad(total, steps, timesteps);
    return true;
}
