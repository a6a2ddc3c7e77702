/* A head that is solved for by a gamma regression on the sample of the pass (stage2_sample.h). */
#pragma once

#include "stats/least_squares.h"
#include "train/stage2_sample.h"

/* A regression of one head. All arrays are borrowed. */
typedef struct HeadFit {
    const HeadSample *sample;
    const Objective *loss;
    const Schedule *schedule;
    int bins, outputs, features;
    /* The Gram matrices of each bin's fitted rows, and that of all bins. */
    const NormalSums *own;
    const NormalSums *all;
    /* stage2.ridge. */
    double ridge;
    /* [bins, outputs, features]: the result, in the order of layers/patch_gram.h. */
    double *w;
    /* [bins]: the result, chosen on the first channel. */
    Shrinkage *chosen;
    /* The mean losses of an element on the two parts of the sample: results. NAN without rows. */
    double fitted_loss, held_loss;
} HeadFit;

/* Solves for a head. A run-time error for want of memory, or if numbers are not finite. */
bool head_gamma_fit(HeadFit *fit, Error *error);
