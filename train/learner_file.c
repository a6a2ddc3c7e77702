/* The arrays of a shared state go tensor by tensor through the room of its Shard. */
#include "train/learner_file.h"

#include <stdio.h>
#include <string.h>

/* The groups of the optimiser's moments: "optimizer/first_moment/heads/sn". */
enum { GROUP_SIZE = 32 + LEARNER_GROUP_SIZE };

static void moment_group(char group[GROUP_SIZE], const char *moment, const Learner *learner)
{
    snprintf(group, GROUP_SIZE, "optimizer/%s/%s", moment, learner->group);
}

/* -- One array --------------------------------------------------------------------------------- */

/* Writes an array that may be shared. Those of a learner are written in the order of shard_next. */
static bool write_array(const Learner *learner, CheckpointWriter *writer, const char *group,
                        const float *values, Error *error)
{
    const ParamSet *set = &learner->params;
    if (!learner->shard)
        return checkpoint_write_params(writer, group, set, values, error);
    bool ok = true;
    for (int i = 0; ok && i < set->count; i++)
        ok = checkpoint_write_param(writer, group, &set->items[i],
                                    shard_next(learner->shard, &learner->state), error);
    return ok;
}

/* slice := those numbers of a tensor that lie in it, if there are any. */
static bool read_tensor(const Learner *learner, Checkpoint *checkpoint, const char *group,
                        const Param *param, float *slice, Error *error)
{
    size_t from, first, unused;
    const size_t count = shard_of_tensor(learner->shard, param, &from);
    float *room = shard_room(learner->shard);
    if (count == 0)
        return true;
    if (!checkpoint_read_param(checkpoint, group, param, room, error))
        return false;
    shard_slice(learner->shard, &first, &unused);
    memcpy(slice + (param->offset + from - first), room + from, count * sizeof *slice);
    return true;
}

static bool read_array(const Learner *learner, Checkpoint *checkpoint, const char *group,
                       float *values, Error *error)
{
    const ParamSet *set = &learner->params;
    if (!learner->shard)
        return checkpoint_read_params(checkpoint, group, set, values, error);
    bool ok = checkpoint_check_params(checkpoint, group, set, error);
    for (int i = 0; ok && i < set->count; i++)
        ok = read_tensor(learner, checkpoint, group, &set->items[i], values, error);
    return ok;
}

/* -- A learner --------------------------------------------------------------------------------- */

bool learner_write(const Learner *learner, CheckpointWriter *writer, Error *error)
{
    const OptimizerState *state = &learner->state;
    char first[GROUP_SIZE], second[GROUP_SIZE];
    moment_group(first, "first_moment", learner);
    moment_group(second, "second_moment", learner);
    return checkpoint_write_params(writer, learner->group, &learner->params, state->weights,
                                   error) &&
           write_array(learner, writer, learner->ema_group, state->ema, error) &&
           (!state->first_moment ||
            (write_array(learner, writer, first, state->first_moment, error) &&
             write_array(learner, writer, second, state->second_moment, error)));
}

bool learner_read(const Learner *learner, Checkpoint *checkpoint, Error *error)
{
    const OptimizerState *state = &learner->state;
    char first[GROUP_SIZE], second[GROUP_SIZE];
    moment_group(first, "first_moment", learner);
    moment_group(second, "second_moment", learner);
    return checkpoint_read_params(checkpoint, learner->group, &learner->params, state->weights,
                                  error) &&
           read_array(learner, checkpoint, learner->ema_group, state->ema, error) &&
           (!state->first_moment ||
            (read_array(learner, checkpoint, first, state->first_moment, error) &&
             read_array(learner, checkpoint, second, state->second_moment, error)));
}

void learners_bring_rest(const Stage *stage)
{
    for (int i = 0; i < stage->learner_count; i++)
        if (stage->learners[i].shard)
            shard_bring_rest(stage->learners[i].shard, &stage->learners[i].state);
}
