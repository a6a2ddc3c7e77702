/* A checkpoint from which a run continues. All groups of tensors that training needs are read for
 * the network that it trains, and the file is copied without a group, as `infer analytic` does. */
#include "base/memory.h"
#include "fuzz/target.h"
#include "inference/network.h"
#include "io/checkpoint.h"

#include <stdlib.h>

static void read_group(Checkpoint *checkpoint, const char *group, const ParamSet *set)
{
    Error error = {0};
    float *values = checkpoint_load_params(checkpoint, group, set, &error);
    if (!values)
        fuzz_check_error(&error);
    memory_free(values);
}

/* Makes the copy and discards it. */
static void amend(Checkpoint *checkpoint)
{
    Error error = {0};
    CheckpointWriter *writer;
    if (checkpoint_amend(&writer, checkpoint, "analytic", &error))
        checkpoint_discard(writer);
    else
        fuzz_check_error(&error);
}

void fuzz_resume(const uint8_t *bytes, size_t size)
{
    static const char *const trunk_groups[] = {"trunk", "trunk_ema",
                                               "optimizer/first_moment/trunk"};
    static const char *const head_groups[] = {"heads/sn", "heads_ema/sn"};
    Error error = {0};
    Config config;
    ParamSet trunk, head;
    Checkpoint *checkpoint;
    if (!checkpoint_open(&checkpoint, fuzz_file("stage1.h5", bytes, size), &error)) {
        fuzz_check_error(&error);
        return;
    }
    if (!config_parse(&config, fuzz_network_config, "small", NULL, 0, &error))
        fuzz_broken("the configuration of the smallest network is right");
    network_shapes(&config, 1, &trunk, &head);
    for (int i = 0; i < 3; i++)
        read_group(checkpoint, trunk_groups[i], &trunk);
    for (int i = 0; i < 2; i++)
        read_group(checkpoint, head_groups[i], &head);
    (void)checkpoint_attribute(checkpoint, "analytic", "images", 0);
    amend(checkpoint);
    params_free(&trunk);
    params_free(&head);
    checkpoint_close(checkpoint);
}
