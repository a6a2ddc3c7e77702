/* Draws samples and writes them to a file: the work of infer sample. */
#pragma once

#include "infer/command.h"

/* The number of steps if none is given. */
#define SAMPLE_DEFAULT_STEPS "50"

/* What to draw. The arrays and strings must outlive the run. */
typedef struct SampleRequest {
    /* Read of it: the seed, changes of estimates, how samples are drawn, quiet. */
    const CommonOptions *common;
    /* Where the samples go; sample_output_check_name must have passed it. */
    const char *out;
    /* [variance_count]; 0: the one of stage-1 samples, stage1.variance of the configuration. */
    const Variance *const *variances;
    int variance_count;
    /* [variance_count]: the floor of each variance's estimate, in place of common->estimate.floor,
     * so that a variance may be listed with several floors; NULL: that one. */
    const double *floors;
    /* [steps_count]; 0: SAMPLE_DEFAULT_STEPS, or all timesteps where there are fewer. */
    const int *steps;
    int steps_count;
    Sampler sampler;
    /* Each variance has a row for each correction of the mean; NULL: the one that changes
     * nothing. */
    const CorrectionList *corrections;
    bool clip_x0;
    /* Samples of each combination of a row and a number of steps; 0: 64 of a single one, 16
     * of several. */
    int count;
    /* A file with the random numbers, which sets the count too; NULL: they are drawn. */
    const char *noise;
    /* Of a picture; 0: chosen to suit. */
    int columns, scale;
} SampleRequest;

/* Draws the samples of all combinations from the same noise, writes them, and prints a line
 * unless quiet. Prepares the network for the number of samples. */
bool sample_run(const SampleRequest *request, Network *network, Error *error);
