/* Checkpoints: the HDF5 files that runs leave behind and everything else starts from.
 *
 *     /                       attributes format "varhead-checkpoint", version 1, stage, step
 *     /config                 the whole configuration, as YAML
 *     /trunk/<name>           weights of the eps-network; names and shapes are PyTorch's
 *     /trunk_ema/<name>       their moving average: what inference and stage 2 use
 *     /heads/<loss>/<name>, /heads_ema/<loss>/<name>     variance heads, stage 2 only
 *     /time_bins              int64 [B+1]: of heads with a last layer for each of B bins of timesteps
 *     /fit/..., /least_squares/...    how heads were solved for, and from what (train/stage2_exact.c)
 *     /optimizer/...          what an exact resume needs besides
 *     /analytic/ms_eps        float64 [N+1], E||eps_hat(x_t, t)||^2 / d; `infer analytic` adds it
 *     /analytic/...           its standard error, and the same per dimension (checkpoints/README.md)
 *
 * checkpoints/README.md tells users how to read and write them from Python.
 *
 * A group of tensors is read and written as a whole, against a ParamSet (engine/params.h) and one
 * flat array. Reading accepts nothing but exactly that set, with exactly those shapes, all
 * numbers finite: a network that runs with the wrong weights gives no sign of it.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "diffusion/time_bins.h"
#include "engine/params.h"
#include "hdf5/hdf5_verify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHECKPOINT_VERSION = 1 };

/* -- Reading ----------------------------------------------------------------------------------- */

typedef struct Checkpoint Checkpoint;

/* Opens `path` and checks what it says of itself; arrays are checked when they are read. Every
 * failure is an input error that names the file and the place in it. */
bool checkpoint_open(Checkpoint **checkpoint, const char *path, Error *error);

/* NULL is fine. */
void checkpoint_close(Checkpoint *checkpoint);

const char *checkpoint_path(const Checkpoint *checkpoint);
const Config *checkpoint_config(const Checkpoint *checkpoint);
int checkpoint_stage(const Checkpoint *checkpoint);    /* 1 or 2 */
int64_t checkpoint_step(const Checkpoint *checkpoint); /* optimiser steps done in this stage */

/* The losses whose heads are in /heads_ema, sorted: "npr", "sn". */
int checkpoint_heads(const Checkpoint *checkpoint);
const char *checkpoint_head(const Checkpoint *checkpoint, int index);

/* The bins of timesteps that the heads have; one where the file names none. */
const TimeBins *checkpoint_bins(const Checkpoint *checkpoint);

/* Whether there is such a group, "trunk_ema" or "optimizer", or such an array,
 * "analytic/ms_eps". */
bool checkpoint_has(Checkpoint *checkpoint, const char *name);

/* Checks that `group` holds the tensors of `set` and nothing else, with their shapes and whole;
 * reads none of them. Who calls this before allocating set->size floats can't be made to allocate
 * them by a configuration that promises more than the file has. */
bool checkpoint_check_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                             Error *error);

/* Reads the tensors of `set` from `group` to values [set->size]; makes the same checks. */
bool checkpoint_read_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                            float *values, Error *error);

/* The same to memory of its own, taken once the file is known to have that much; NULL after an
 * error. The caller frees it. */
float *checkpoint_load_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                              Error *error);

/* Reads the array `name` to values [count]; all must be finite. */
bool checkpoint_read_doubles(Checkpoint *checkpoint, const char *name, int64_t count,
                             double *values, Error *error);

/* Reads the array `name`, of shape dims[rank], to memory of its own, for memory_free; all must be
 * finite. NULL with an error. */
float *checkpoint_read_floats(Checkpoint *checkpoint, const char *name, int rank,
                              const int64_t *dims, Error *error);

/* Reads all that the file holds, whatever it is for, and says how much that was (hdf5/hdf5_verify.h). */
bool checkpoint_verify(Checkpoint *checkpoint, Hdf5Verified *verified, Error *error);

/* The integer attribute of an object, or `missing` where there is none. */
int64_t checkpoint_attribute(Checkpoint *checkpoint, const char *name, const char *attribute,
                             int64_t missing);

/* -- Writing ----------------------------------------------------------------------------------- */

typedef struct CheckpointWriter CheckpointWriter;

/* Begins a checkpoint. What lies at `path` stays there, complete, until checkpoint_commit. */
bool checkpoint_create(CheckpointWriter **writer, const char *path, const Config *config, int stage,
                       int64_t step, Error *error);

/* Begins a checkpoint that is to replace `source` and has all that it has, bit for bit, but for what
 * lies in the group `leave_out`. What else is written is added. */
bool checkpoint_amend(CheckpointWriter **writer, Checkpoint *source, const char *leave_out,
                      Error *error);

/* Whether `source` has all that checkpoint_amend would take from it, undamaged: it reads everything. */
bool checkpoint_check_amend(Checkpoint *source, const char *leave_out, Error *error);

/* Numbers to be written must be finite, as those to be read: a run-time error if one is not.
 *
 * Writes values [set->size] as one array per tensor into `group` ("trunk", "heads/sn"), creating
 * the group and those above it. */
bool checkpoint_write_params(CheckpointWriter *writer, const char *group, const ParamSet *set,
                             const float *values, Error *error);

/* Writes values [count] as the float64 array `name`. */
bool checkpoint_write_doubles(CheckpointWriter *writer, const char *name, int64_t count,
                              const double *values, Error *error);

/* Writes values as the float32 array `name` of shape dims[rank]. */
bool checkpoint_write_floats(CheckpointWriter *writer, const char *name, int rank,
                             const int64_t *dims, const float *values, Error *error);

/* Writes the bins of the heads. */
bool checkpoint_write_bins(CheckpointWriter *writer, const TimeBins *bins, Error *error);

/* Gives the object `name` an integer attribute. */
bool checkpoint_write_attribute(CheckpointWriter *writer, const char *name, const char *attribute,
                                int64_t value, Error *error);

/* Puts the checkpoint in place of the old one, safe against a crash at any instant (run-time
 * error if it can't be; the old one is then as it was). Releases the writer either way. */
bool checkpoint_commit(CheckpointWriter *writer, Error *error);

/* The same for one that amends another, which is still open. Where a third has been put in its place meanwhile, that
 * one stays, *overtaken becomes true, and the error is a run-time error. */
bool checkpoint_commit_amended(CheckpointWriter *writer, bool *overtaken, Error *error);

/* Gives the checkpoint up instead of committing it; NULL is fine. */
void checkpoint_discard(CheckpointWriter *writer);
