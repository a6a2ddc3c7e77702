/* metrics.csv: one row per step and target, for plotting and for comparing runs.
 *
 *     run,target,step,loss,learning_rate,gradient_norm,images_per_second
 *     stage1,eps,1,784.52…,4e-07,3.1,312
 *
 * Where several processes train, columns with the seconds of a step's phases follow
 * (MetricsPhases). A file keeps these columns, with empty fields, if one process continues.
 *
 * One file serves all the stages of a run directory. Rows wait in memory and go to the file
 * together with a checkpoint (metrics_flush), or sooner if they are many (metrics_relieve). The
 * first time, the run's rows after the step from which it continues are dropped. So a resumed run
 * leaves the rows that an uninterrupted one would have left (but for the speeds), and a run started
 * afresh replaces the old rows no sooner than the old checkpoint. Losses are written with all their
 * digits.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct Metrics Metrics;

/* Metrics of run `run` ("stage1"), which continues at `step`, for `directory`/metrics.csv. Changes
 * no file. `run` is not copied, and must outlive it. */
Metrics *metrics_new(const char *directory, const char *run, int64_t step);

/* Whether the file can be written. An input error if metrics.csv is a file of another kind, which
 * stays. */
bool metrics_possible(const Metrics *metrics, Error *error);

/* Calls `take` for each loss of the run in the file, in order, up to the step from which it
 * continues. Without a file there is none. */
void metrics_earlier(const Metrics *metrics,
                     void (*take)(void *context, const char *target, double loss), void *context);

/* Seconds of a step, the least and the most that a process took: computing, and exchanging, in which
 * it waited for others or gave and took bytes. So a slow process shows: it computes the longest, and
 * the others wait for it. */
typedef struct MetricsPhases {
    double computing[2], exchanging[2];
} MetricsPhases;

/* From the seconds of this process. To be called by all processes (base/group.h). */
MetricsPhases metrics_phases(double computing, double exchanging);

/* Adds a row. The phases become columns where several processes train. Only the first process keeps
 * rows. */
void metrics_write(Metrics *metrics, const char *target, int64_t step, double loss,
                   double learning_rate, double gradient_norm, double images_per_second,
                   const MetricsPhases *phases);

/* Writes the rows that wait to the file. After a failure they wait on. */
bool metrics_flush(Metrics *metrics, Error *error);

/* Whether a megabyte of rows waits. That happens if checkpoints are far apart. */
bool metrics_are_many(const Metrics *metrics);

/* Writes the rows that wait. A failure is no error: training goes on, and the next megabyte tries
 * again. */
void metrics_relieve(Metrics *metrics);

void metrics_free(Metrics *metrics); /* NULL is fine */
