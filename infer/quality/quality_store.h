/* The file of infer quality: every value with its resamples.
 *
 *     attributes   format "varhead-quality", samples, reference, resamples, data, settings, images; if a
 *                  metric needs features, classifier (its name, or Inception's) and accuracy (not
 *                  Inception's)
 *     /key         string: everything that the values depend on
 *     /values      float64 [1 + cells, metrics, 1 + resamples]; row 0: real images; entry 0
 *                  of a row the value itself, the others its resamples; NaN: not measured
 *     /cells       string: "real", then "<variance>/<sampler>_<trajectory>_<steps>", a line each
 *     /metrics     string: the names of the metrics, a line each
 *
 * The resamples of all cells draw the same images. So the standard error of a difference of two
 * cells is the standard deviation of the difference of their rows. The file of an unfinished run
 * has the same form.
 */
#pragma once

#include "infer/quality/quality_task.h"

/* The name of a cell in /cells. Caller frees. */
char *quality_cell_name(const QualityTask *task, int cell);

bool quality_store_write(const QualityTask *task, const char *key, const char *path, Error *error);

/* task->values := the values of the file, if it has this key; *found says whether it has. Any
 * other file is left alone. An input error if the file has the key, but no such values. */
bool quality_store_read(const QualityTask *task, const char *key, const char *path, bool *found,
                        Error *error);
