/* The request of infer quality, and its cells: a sampler, a variance with a scale, and a number of
 * steps. */
#pragma once

#include "infer/command.h"
#include "infer/quality/quality_task.h"

/* Arrays and strings must outlive the run. */
typedef struct QualityRequest {
    /* Read of it: the seed, the type of the network, changes of estimates, how samples are
     * drawn, quiet. */
    const CommonOptions *common;
    /* The table, FILE.csv; NULL: quality.csv in the run directory, or nowhere. */
    const char *out;
    /* [variance_count]; 0: all that the network has and the samplers can use. */
    const Variance *const *variances;
    int variance_count;
    /* [variance_count]: the floor of each variance's estimate, in place of common->estimate.floor,
     * so that a variance may be listed with several floors; NULL: that one. */
    const double *floors;
    /* [steps_count]; 0: COMMAND_SAMPLING_STEPS. */
    const int *steps;
    int steps_count;
    /* [sampler_count], one at least. */
    const Sampler *samplers;
    int sampler_count;
    /* [scale_count], one at least: factors of the estimates, in place of common->estimate.scale. */
    const double *scales;
    int scale_count;
    /* Corrections of the mean, one at least. */
    CorrectionList corrections;
    /* What is searched for (quality_tune.h): each of the corrections that lacks it is followed by the
     * same with the best one. */
    QualityTune tune;
    /* Which to measure. */
    bool metrics[QUALITY_METRICS];
    /* Samples of each cell. */
    int64_t samples;
    /* Real images; IMAGES_UNSET: the default. */
    int64_t images;
    /* Resamples of the bootstrap; 0: the default. */
    int64_t resamples;
    /* The file of Inception's weights; NULL: features are the classifier's. */
    const char *inception;
    /* The file of the classifier; NULL: classifier.h5 in the run directory. */
    const char *classifier;
    /* Files of labels; NULL: beside the images (data/labels.h). */
    const char *train_labels, *test_labels;
    int64_t classifier_steps;
    /* Do not use the values of an unfinished run. */
    bool fresh;
} QualityRequest;

/* Fills in the task's cells. A variance that a sampler cannot use is left out. If the request lists
 * variances, a note says so, and with a single sampler it is an input error. */
bool quality_cells_make(QualityTask *task, const QualityRequest *request, const Network *network,
                        Error *error);
void quality_cells_free(QualityTask *task);

/* The label of a cell in files. After a search it names the number found, even if this is 1:
 * "sn-eps1". */
EstimateLabel quality_label(const QualityTask *task, int cell);
