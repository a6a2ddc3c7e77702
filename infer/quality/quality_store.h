/* The file of infer quality: every value with its resamples.
 *
 *     attributes   format "varhead-quality", samples, reference, resamples, data, settings, and of the features
 *                  classifier (its name) and accuracy
 *     /key         string: all that the values depend on
 *     /values      float64 [1 + cells, metrics, 1 + resamples]: row 0 is the floor, entry 0 of a row the
 *                  value itself; NaN: not measured
 *     /cells, /metrics   strings: "real", then "<variance>/<sampler>_<trajectory>_<steps>", a line each; and
 *                  the metrics' names
 *
 * The resamples of all cells draw the same images, so the standard error of a difference of cells is the
 * standard deviation of the difference of their rows. A file of an unfinished table has the same form.
 */
#pragma once

#include "infer/quality/quality_task.h"

/* What a cell is called there. Caller frees. */
char *quality_cell_name(const SamplingPlan *plan);

bool quality_store_write(const QualityTask *task, const char *key, const char *path, Error *error);

/* task->values := those in a file of that key; *found says whether there was one. A file that is of another
 * key or no such file at all is left alone; one with the key but without the values is an error. */
bool quality_store_read(const QualityTask *task, const char *key, const char *path, bool *found,
                        Error *error);
