/* Parameters: named tensors laid end to end in flat float32 arrays.
 *
 * A ParamSet says which tensors there are, their shapes and where each lies; it holds
 * no numbers. Weights, gradients, Adam's moments and the moving average are plain
 * float arrays of `size` elements with that layout, so the optimiser is one pass,
 * a checkpoint is a loop, and summing gradients is one call.
 *
 * Names and shapes are PyTorch's (convolutions [out, in, kh, kw], linear [out, in]):
 * they are the names in a checkpoint.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { PARAM_MAX_RANK = 5, PARAM_NAME_SIZE = 96 };

/* How a tensor starts. PyTorch's defaults: weights and biases of convolutions and linear
 * layers uniform in +-1/sqrt(fan_in), normalisation 1 and 0. */
typedef enum ParamInit { PARAM_UNIFORM_FAN_IN, PARAM_ONE, PARAM_ZERO } ParamInit;

typedef struct Param {
    /* As in "down.0.block.0.conv1.weight". */
    char name[PARAM_NAME_SIZE];
    int rank;
    int shape[PARAM_MAX_RANK];
    /* Elements: from the start of the flat array, and of the tensor. */
    size_t offset, count;
    ParamInit init;
    /* The fan-in of PARAM_UNIFORM_FAN_IN. */
    int fan_in;
    /* The stream of its random numbers: a hash of the name, different for each tensor of a set. */
    uint32_t stream;
} Param;

typedef struct ParamSet {
    Param *items;
    int count;
    int capacity;
    /* Elements of a flat array of this layout. */
    size_t size;
} ParamSet;

void params_init(ParamSet *set);
void params_free(ParamSet *set);

/* The index of the tensor `name`, added at the end if it is new. Asking again with the
 * same shape gives the same index, so that several graphs can share one set. */
int params_add(ParamSet *set, const char *name, int rank, const int *shape, ParamInit init,
               int fan_in);

/* The index of `name`, or -1. */
int params_find(const ParamSet *set, const char *name);

/* Fills `values` [set->size] as `init` says, from `seed` and the names alone. */
void params_initialise(const ParamSet *set, uint64_t seed, float *values);
