/* Draws the samples of a cell. infer quality measures them, and its search for corrections compares
 * them. */
#include "infer/quality/quality_draw.h"

#include "evaluation/quality_images.h"

bool quality_draw(Network *network, const SamplingPlan *cell, Noise *noise, int first, int count,
                  float *images, Progress *progress, Error *error)
{
    const size_t dims = network_dims(network);
    const int batch = network_batch(network);
    for (int i = 0; i < count; i += batch) {
        const int part = count - i < batch ? count - i : batch;
        if (!sampler_run(network, cell, noise, first + i, part, images + (size_t)i * dims, progress,
                         error))
            return false;
    }
    samples_round(network, images, (size_t)count * dims);
    return true;
}
