/* The optimiser's state in slices (stage1.shard), for networks that outgrow a machine.
 *
 * Each process holds one slice of the moving average and of both moments of Adam, and updates that
 * slice of the weights. Then all processes gather the weights. An update has the bits that it has
 * without slices: it computes each number by itself, and slices begin at multiples of 64 numbers, so
 * that vectors of the processor hold the same numbers.
 *
 * A checkpoint has whole tensors. For each of them the first process gets the parts of the others, so
 * it needs room for the largest tensor and no more.
 *
 * Without slices, as in a group of one, there is no Shard: NULL.
 */
#pragma once

#include "base/error.h"
#include "engine/optimizer.h"
#include "engine/params.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Shard Shard;

/* For a state of `params`, which have to outlive it; NULL in a group of one. */
bool shard_make(Shard **shard, const ParamSet *params, Error *error);
void shard_free(Shard *shard); /* NULL is fine */

/* *first, *count := the slice of this process, in numbers of the flat arrays. */
void shard_slice(const Shard *shard, size_t *first, size_t *count);

/* The slice of a state, to be updated as a whole state is. The arrays `weights` and `gradients` of
 * `state` are of all numbers, the others of the slice alone. Nothing is copied. */
OptimizerState shard_of_state(const Shard *shard, const OptimizerState *state);

/* Brings the slices of weights [params.size] to all processes, which all call it. */
void shard_gather(const Shard *shard, float *weights);

/* -- Checkpoints -------------------------------------------------------------------------------- */

/* Which of the numbers of a tensor lie in the slice of this process: those from *from on, counted in
 * the tensor. Returns how many. */
size_t shard_of_tensor(const Shard *shard, const Param *param, size_t *from);

/* Room for the largest tensor. */
float *shard_room(const Shard *shard);

/* In the first process: the next tensor, complete, in the room. Tensors come in the order of the
 * parameters: all of the moving average, all of the first moment, all of the second. */
const float *shard_next(Shard *shard, const OptimizerState *state);

/* Brings the tensors that shard_next has not brought. All processes call it after the first one has
 * written, or has failed to. */
void shard_bring_rest(Shard *shard, const OptimizerState *state);
