/* Measures the quality of samples and writes the tables: the work of infer quality. */
#pragma once

#include "infer/quality/quality_cells.h"

/* The defaults, without variances, steps, samplers and scales; with every metric. */
QualityRequest quality_defaults(void);

/* Draws and measures the samples of every cell, writes quality.csv and quality.h5, and prints
 * tables unless quiet. Trains the classifier if a metric needs it and its file is missing. A
 * file of an unfinished run that was given the same request is continued; a signal stops the run
 * and keeps that file. Prepares the network for the number of samples. */
bool quality_run(const QualityRequest *request, Network *network, Error *error);
