/* metrics.csv: one row per step and target, for plotting and for comparing runs.
 *
 *     run,target,step,loss,learning_rate,gradient_norm,images_per_second
 *     stage1,eps,1,784.52…,4e-07,3.1,312
 *
 * One file serves all the stages of a run directory. Rows wait in memory and go to the file together with a
 * checkpoint (metrics_flush), or sooner if they are many (metrics_relieve). The first time, the run's rows
 * after the step from which it continues are dropped. So a resumed run leaves the rows that an uninterrupted
 * one would have left (but for the speeds), and a run started afresh replaces the old rows no sooner than the
 * old checkpoint. Losses are written with all their digits.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct Metrics Metrics;

/* Metrics of run `run` ("stage1"), which continues at `step`, for `directory`/metrics.csv. Touches no
 * file. `run` is not copied. */
Metrics *metrics_new(const char *directory, const char *run, int64_t step);

/* Whether they can be written there; an input error if metrics.csv is something else, which stays. */
bool metrics_possible(const Metrics *metrics, Error *error);

/* Hands over the losses that the run has left in the file up to the step from which it
 * continues, in their order; none where there is no file. */
void metrics_earlier(const Metrics *metrics,
                     void (*take)(void *context, const char *target, double loss), void *context);

void metrics_write(Metrics *metrics, const char *target, int64_t step, double loss,
                   double learning_rate, double gradient_norm, double images_per_second);

/* Puts the rows written so far in the file. After a failure they wait on. */
bool metrics_flush(Metrics *metrics, Error *error);

/* Whether a megabyte of rows waits, as happens where checkpoints are far apart. */
bool metrics_are_many(const Metrics *metrics);

/* Puts rows that are many in the file. A failure is not told: training can go on, and the next megabyte tries
 * again. */
void metrics_relieve(Metrics *metrics);

void metrics_free(Metrics *metrics); /* NULL is fine */
