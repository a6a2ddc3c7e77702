/* The correlations that are fitted beside a head (variance/correlation_fit.h), after the head.
 *
 * Some images run through the trunk and the head once more, with the weights that are saved. Their
 * residuals give the correlations. The exact solver adds its held-out images, which pass anyway.
 * Adam has none, and takes a pass over 1,024 training images.
 */
#pragma once

#include "train/stage2.h"
#include "variance/correlation_fit.h"

/* The index of the head of the task whose correlations are wanted: stage2.correlation is not none,
 * and a variance of the table reads the head and correlations. -1: there is none. */
int correlation_head(const Stage2 *s);

/* Prepares the collection of `images` images; at most 512 MB of them are kept. Does nothing if
 * correlation_head() is -1, as do the functions below. */
bool correlation_begin(Stage2 *s, int64_t images, Error *error);

/* Adds the batch drawn last, after stage2_run_head for the head. */
void correlation_add(Stage2 *s);

/* Fits the correlations to the images that were added, and drops the images. */
bool correlation_finish(Stage2 *s, Error *error);

/* All of this for Adam: a pass of its own, through the moving averages of the head. */
bool correlation_measure(Stage2 *s, Error *error);

/* Writes the correlations, if there are any. */
bool correlation_write(const Stage2 *s, CheckpointWriter *writer, Error *error);

/* Prints a line about the fit, if there was one. */
void correlation_report(const Stage2 *s);

void correlation_free(Stage2 *s);
