/* Reads images for commands into memory. A configuration with another file in it stands for that
 * file, so that all images come through Dataset. Random choices are the beginning of an epoch's
 * order (data/epoch.h): more images by the same seed contain the fewer. */
#include "inference/images.h"

#include "base/memory.h"
#include "data/epoch.h"
#include "inference/image_array.h"

#include <string.h>

static bool set_path(char *path, const char *name, const char *option, Error *error)
{
    if (strlen(name) >= CONFIG_TEXT_SIZE)
        return error_input(error, "%s: expected the name of a file, got one of %zu bytes", option,
                           strlen(name));
    strcpy(path, name);
    return true;
}

static bool read(Images *images, const Network *network, Dataset *dataset, const int64_t *chosen,
                 int64_t count, Error *error)
{
    const size_t bytes = network_dims(network) * sizeof(float);
    *images =
        (Images){.x_0 = memory_large((size_t)count, bytes, "images", error), .count = (int)count};
    return images->x_0 && dataset_read(dataset, chosen, (int)count, images->x_0, error) &&
           dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &images->print, error);
}

void images_free(Images *images)
{
    memory_free(images->x_0);
    *images = (Images){0};
}

/* -- Test images ------------------------------------------------------------------------------ */

static bool open_test(Dataset **dataset, const Network *network, const char *input, Error *error)
{
    Config config = *network_config(network);
    if (input) {
        config.data.format = dataset_format_of_file(input);
        if (!set_path(config.data.test, input, "--input", error))
            return false;
    }
    if (!dataset_is_named(&config, DATASET_TEST))
        return error_input(error, "the configuration in the checkpoint names no test images "
                                  "(data.test); expected --input FILE");
    return dataset_open(dataset, &config, DATASET_TEST, error);
}

bool images_test_at_most(const Network *network, int64_t most, int64_t *count, Error *error)
{
    Dataset *dataset = NULL;
    if (!open_test(&dataset, network, NULL, error))
        return false;
    const int64_t there = dataset_count(dataset);
    dataset_close(dataset);
    *count = there < most ? there : most;
    return true;
}

bool images_test_print(const Network *network, uint64_t *print, Error *error)
{
    Dataset *dataset = NULL;
    const bool ok = open_test(&dataset, network, NULL, error) &&
                    dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, print, error);
    dataset_close(dataset);
    return ok;
}

bool images_test(Images *images, const Network *network, const char *input, int64_t wanted,
                 Error *error)
{
    Dataset *dataset = NULL;
    if (!open_test(&dataset, network, input, error))
        return false;
    const int64_t there = dataset_count(dataset);
    const int64_t limit = there < IMAGE_ARRAY_LIMIT ? there : IMAGE_ARRAY_LIMIT;
    if (wanted == IMAGES_UNSET)
        wanted = input || limit < IMAGES_DEFAULT ? limit : IMAGES_DEFAULT;
    bool ok = wanted <= there ||
              error_input(error, "--images: expected at most %lld, which %s has, got %lld",
                          (long long)there, dataset_name(dataset), (long long)wanted);
    int64_t *first = memory_small((size_t)(ok ? wanted : 1), sizeof *first);
    for (int64_t i = 0; ok && i < wanted; i++)
        first[i] = i;
    ok = ok && read(images, network, dataset, first, wanted, error);
    memory_free(first);
    dataset_close(dataset);
    return ok;
}

/* -- Training images -------------------------------------------------------------------------- */

bool images_open_train(Dataset **dataset, const Network *network, const char *data, Error *error)
{
    Config config = *network_config(network);
    if (data) {
        config.data.format = dataset_format_of_file(data);
        if (!set_path(config.data.train, data, "--data", error))
            return false;
    } else if (!dataset_is_named(&config, DATASET_TRAIN)) {
        return error_input(error,
                           "%s: its configuration names no training images (data.train); name "
                           "them with --data FILE",
                           network_file(network, 0));
    }
    return dataset_open(dataset, &config, DATASET_TRAIN, error);
}

bool images_choose(const Dataset *dataset, const char *option, int64_t least, uint64_t seed,
                   int64_t *count, int64_t **chosen, Error *error)
{
    const int64_t all = dataset_count(dataset);
    if (*count == IMAGES_UNSET)
        *count = all < IMAGES_DEFAULT ? all : IMAGES_DEFAULT;
    if (*count > all || *count < least)
        return error_input(error, "%s: %s has %lld images, expected at least %lld", option,
                           dataset_name(dataset), (long long)all,
                           (long long)(*count > least ? *count : least));
    EpochOrder order = {0};
    bool ok = epoch_make(&order, seed, all, error) &&
              (*chosen = memory_large((size_t)*count, sizeof **chosen, "indices", error)) != NULL;
    if (ok)
        epoch_indices(&order, 0, (int)*count, *chosen);
    epoch_free(&order);
    return ok;
}

bool images_train(Images *images, const Network *network, const char *data, const char *option,
                  int64_t wanted, uint64_t seed, Error *error)
{
    Dataset *dataset = NULL;
    int64_t *chosen = NULL;
    bool ok = images_open_train(&dataset, network, data, error) &&
              images_choose(dataset, option, 1, seed, &wanted, &chosen, error) &&
              read(images, network, dataset, chosen, wanted, error);
    memory_free(chosen);
    dataset_close(dataset);
    return ok;
}
