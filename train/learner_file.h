/* A learner in a checkpoint: its weights, their moving average, and the moments of its optimiser.
 *
 * Where processes share the state (train/shard.h), the first process writes whole tensors, for which
 * the others give it their parts; and each reads its slice. So the file is the same.
 */
#pragma once

#include "io/checkpoint.h"
#include "train/stage.h"

/* Writes the groups of a learner. By the first process; learners_bring_rest follows in all of them. */
bool learner_write(const Learner *learner, CheckpointWriter *writer, Error *error);

/* Reads them, this process's slice where the state is shared. An input error if they are not those
 * of this network. */
bool learner_read(const Learner *learner, Checkpoint *checkpoint, Error *error);

/* Brings what learner_write has not brought to the first process: everything in the others, and in the
 * first one what was left when a learner could not be written. By all processes, after the first has
 * written. */
void learners_bring_rest(const Stage *stage);
