/* Ho et al. 2020, equation 4: x_t = sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps.
 *
 * A thread takes a whole image. Each image has its own key for random numbers, so the numbers do
 * not depend on the threads.
 */
#include "diffusion/forward.h"

#include "base/random.h"

#include <math.h>

void forward_noise(const Schedule *schedule, const int *t, const float *x_0, const float *eps,
                   size_t images, size_t dims, float *x_t)
{
#pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        float signal = (float)sqrt(schedule->alpha_bar[t[i]]);
        float noise = (float)sqrt(schedule->beta_bar[t[i]]);
        for (size_t j = i * dims; j < (i + 1) * dims; j++)
            x_t[j] = signal * x_0[j] + noise * eps[j];
    }
}

void forward_draw(const Schedule *schedule, BatchKey key, size_t images, size_t dims, int *t,
                  float *eps)
{
#pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        RandomKey image = {.seed = key.seed,
                           .substream = key.stage,
                           .step = key.step,
                           .sample = key.first + (uint32_t)i};
        image.purpose = RANDOM_TIMESTEP;
        t[i] = 1 + (int)random_below(image, 0, (uint32_t)schedule->timesteps);
        image.purpose = RANDOM_NOISE;
        random_normal(image, eps + i * dims, dims);
    }
}
