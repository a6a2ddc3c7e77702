/* Products of the trunk's Jacobian with random signs.
 *
 * The trunk's output y may be another prediction than eps_hat (model.predicts). eps_hat is then
 * a y + b x_t, and v o v = 1, so
 *     v o (J'v) = a v o (J_y'v) + b.
 */
#include "train/stage2_products.h"

#include "base/random.h"
#include "diffusion/prediction.h"

#include <string.h>

bool products_wanted(const Objective *const *losses, int count)
{
    for (int i = 0; i < count; i++)
        if (losses[i]->reads_product)
            return true;
    return false;
}

static void draw_signs(const Config *config, const Batch *batch, uint32_t step, float *v)
{
    for (int i = 0; i < batch->size; i++) {
        const RandomKey key = {.seed = config->seed,
                               .purpose = RANDOM_PROBE,
                               .step = step,
                               .sample = (uint32_t)(batch->first + i)};
        random_signs(key, v + (size_t)i * batch->dims, batch->dims);
    }
}

bool products_compute(Graph *graph, const UNet *trunk, const Config *config, const Batch *batch,
                      uint32_t step, float *products, Error *error)
{
    const size_t dims = batch->dims;
    draw_signs(config, batch, step, products);
    memcpy(value_gradient(trunk->eps), products, (size_t)batch->size * dims * sizeof *products);
    if (!graph_backward(graph, NULL, error))
        return false;
    const float *gradient = value_gradient(trunk->x);
#pragma omp parallel for
    for (int i = 0; i < batch->size; i++) {
        const PredictionFactors f =
            prediction_factors(config->model.predicts, &batch->schedule, batch->t[i]);
        for (size_t k = (size_t)i * dims; k < (size_t)(i + 1) * dims; k++)
            products[k] = (float)(f.output * products[k] * gradient[k] + f.input);
    }
    return true;
}
