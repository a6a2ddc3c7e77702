/* The real images and the samples of infer quality (quality_images.h).
 *
 * Two disjoint halves of test images are drawn at once, as 2 * count different images. Samples of
 * pictures are rounded to 256 grey levels, since real pictures have no others.
 */
#include "evaluation/quality_images.h"

#include "base/memory.h"
#include "base/pixel.h"
#include "data/flip.h"
#include "evaluation/quality_meter.h"
#include "inference/images.h"

/* Sets a count that is not given, and checks that the data set has images for both halves. */
static bool choose_count(int64_t *count, int64_t samples, const Dataset *dataset, Error *error)
{
    const int64_t most = dataset_count(dataset) / 2;
    if (*count == IMAGES_UNSET)
        *count = samples < most ? samples : most;
    if (*count > most || *count < QUALITY_LEAST_IMAGES)
        return error_input(error,
                           "--images: %s has %lld images, in two halves at most %lld each; "
                           "expected at least %lld",
                           dataset_name(dataset), (long long)dataset_count(dataset),
                           (long long)most,
                           (long long)(*count > most ? *count : QUALITY_LEAST_IMAGES));
    return true;
}

static bool read_both_halves(RealImages *real, const Network *network, Dataset *dataset,
                             uint64_t seed, Error *error)
{
    const Config *config = network_config(network);
    int64_t *chosen = NULL, count = 2 * (int64_t)real->count;
    real->pixels =
        memory_large((size_t)count, network_dims(network) * sizeof(float), "real images", error);
    const bool ok = real->pixels &&
                    images_choose(dataset, "--images", count, seed, &count, &chosen, error) &&
                    dataset_read(dataset, chosen, (int)count, real->pixels, error);
    const FlipKey coins = {.seed = seed, .stream = FLIP_QUALITY, .numbers = chosen};
    if (ok)
        flip_at_random(config, &coins, (int)count, real->pixels);
    memory_free(chosen);
    return ok;
}

bool real_images_read(RealImages *real, const Network *network, int64_t count, int64_t samples,
                      uint64_t seed, Error *error)
{
    const Config *config = network_config(network);
    Dataset *dataset = NULL;
    *real = (RealImages){0};
    if (!dataset_is_named(config, DATASET_TEST))
        return error_input(error,
                           "%s: its configuration names no test images (data.test), which "
                           "samples are compared with",
                           network_file(network, 0));
    bool ok = dataset_open(&dataset, config, DATASET_TEST, error) &&
              choose_count(&count, samples, dataset, error);
    if (ok) {
        real->count = (int)count;
        real->data = memory_format("%s%s", dataset_name(dataset),
                                   dataset_is_flipped(config) ? ", mirrored at random" : "");
        ok = read_both_halves(real, network, dataset, seed, error) &&
             dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &real->print, error);
    }
    dataset_close(dataset);
    return ok;
}

void real_images_free(RealImages *real)
{
    memory_free(real->pixels);
    memory_free(real->data);
    *real = (RealImages){0};
}

void samples_round(const Network *network, float *images, size_t count)
{
    if (network_mixture(network))
        return;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        images[i] = pixel_of_byte(byte_of_pixel(images[i]));
}
