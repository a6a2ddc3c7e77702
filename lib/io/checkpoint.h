/* Checkpoints: the HDF5 files that trainings write and every other command reads.
 *
 *     /                       attributes format "varhead-checkpoint", version 1, stage, step
 *     /config                 the whole configuration, as YAML
 *     /trunk/<name>           weights of the eps-network; names and shapes are PyTorch's
 *     /trunk_ema/<name>       their moving average, which inference and stage 2 use
 *     /heads/<loss>/<name>, /heads_ema/<loss>/<name>     variance heads, stage 2 only
 *     /time_bins              int64 [B+1]: of heads with a last layer for each of B bins of timesteps
 *     /fit/..., /least_squares/...    the solution of heads and its sums (train/stage2_exact.c)
 *     /optimizer/...          the rest of what an exact resume needs
 *     /analytic/ms_eps        float64 [N+1], E||eps_hat(x_t, t)||^2 / d; `infer analytic` adds it
 *     /analytic/...           its standard error, and the same per dimension (checkpoints/README.md)
 *
 * checkpoints/README.md explains how to read and write them from Python.
 *
 * A group of tensors is read and written as a whole: a ParamSet (engine/params.h) describes it, one
 * flat array holds it. Reading accepts exactly that set, with exactly those shapes and finite
 * numbers only, since a network with wrong weights runs without any sign of it. Every failure of
 * reading is an input error that names the file and the place in it.
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

/* Opens `path` and checks its attributes and its configuration; arrays are checked when they are
 * read. The caller closes *checkpoint. */
bool checkpoint_open(Checkpoint **checkpoint, const char *path, Error *error);

/* NULL is fine. */
void checkpoint_close(Checkpoint *checkpoint);

/* These live as long as the checkpoint. */
const char *checkpoint_path(const Checkpoint *checkpoint);
const Config *checkpoint_config(const Checkpoint *checkpoint);

/* 1 or 2. */
int checkpoint_stage(const Checkpoint *checkpoint);

/* Optimiser steps done in this stage. */
int64_t checkpoint_step(const Checkpoint *checkpoint);

/* The losses whose heads are in /heads_ema, sorted: "npr", "sn". */
int checkpoint_heads(const Checkpoint *checkpoint);
const char *checkpoint_head(const Checkpoint *checkpoint, int index);

/* The bins of timesteps of the heads; one bin if the file names none. Lives as long as the
 * checkpoint. */
const TimeBins *checkpoint_bins(const Checkpoint *checkpoint);

/* Whether the file has a group ("trunk_ema", "optimizer") or an array ("analytic/ms_eps") of that
 * name. */
bool checkpoint_has(Checkpoint *checkpoint, const char *name);

/* Checks that `group` holds exactly the tensors of `set`, complete and with their shapes, without
 * reading them. Call this before allocating set->size floats: a damaged configuration can claim
 * sizes that the file does not have. */
bool checkpoint_check_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                             Error *error);

/* Reads the tensors of `set` from `group` to values [set->size], after the same checks. */
bool checkpoint_read_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                            float *values, Error *error);

/* One tensor of these: values [param->count]. checkpoint_check_params has checked the group. */
bool checkpoint_read_param(Checkpoint *checkpoint, const char *group, const Param *param,
                           float *values, Error *error);

/* All of them to new memory, which is allocated after the checks and which the caller frees. NULL with
 * an error. */
float *checkpoint_load_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                              Error *error);

/* Reads the array `name` to values [count]; all must be finite. */
bool checkpoint_read_doubles(Checkpoint *checkpoint, const char *name, int64_t count,
                             double *values, Error *error);

/* Reads the array `name` of shape dims[rank] to new memory, which the caller frees; all numbers
 * must be finite. NULL with an error. */
float *checkpoint_read_floats(Checkpoint *checkpoint, const char *name, int rank,
                              const int64_t *dims, Error *error);

/* Reads every array of the file and counts them (hdf5/hdf5_verify.h). */
bool checkpoint_verify(Checkpoint *checkpoint, Hdf5Verified *verified, Error *error);

/* The integer attribute of an object, or `missing` if it has none. */
int64_t checkpoint_attribute(Checkpoint *checkpoint, const char *name, const char *attribute,
                             int64_t missing);

/* -- Writing ----------------------------------------------------------------------------------- */

typedef struct CheckpointWriter CheckpointWriter;

/* Begins a checkpoint. An older one at `path` stays there, complete, until checkpoint_commit. */
bool checkpoint_create(CheckpointWriter **writer, const char *path, const Config *config, int stage,
                       int64_t step, Error *error);

/* Begins a checkpoint that will replace `source`. It has all contents of the source, bit for bit,
 * but for the group `leave_out`, and more can be written to it. */
bool checkpoint_amend(CheckpointWriter **writer, Checkpoint *source, const char *leave_out,
                      Error *error);

/* Reads everything that checkpoint_amend would copy from `source`. Input error if something is
 * damaged. */
bool checkpoint_check_amend(Checkpoint *source, const char *leave_out, Error *error);

/* Writes values [set->size] as one array per tensor into `group` ("trunk", "heads/sn"), which is
 * created with the groups above it. This and the other functions for arrays report a number that is
 * not finite as a run-time error. */
bool checkpoint_write_params(CheckpointWriter *writer, const char *group, const ParamSet *set,
                             const float *values, Error *error);

/* One tensor of these: values [param->count]. */
bool checkpoint_write_param(CheckpointWriter *writer, const char *group, const Param *param,
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

/* Puts the checkpoint in place of the old one, safe against a crash at any instant. After a
 * run-time error the old one is as it was. Releases the writer either way. */
bool checkpoint_commit(CheckpointWriter *writer, Error *error);

/* The same for a checkpoint_amend whose source is still open. If another file has taken the
 * source's place meanwhile, that file stays, *overtaken becomes true, and the error is a run-time
 * error. */
bool checkpoint_commit_amended(CheckpointWriter *writer, bool *overtaken, Error *error);

/* Gives up the checkpoint instead of committing it. NULL is fine. */
void checkpoint_discard(CheckpointWriter *writer);
