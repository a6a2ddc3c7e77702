/* Stage 2 but for the fitting, which is Adam's or exact: the frozen trunk, the heads, the
 * checkpoint.
 *
 * The trunk is an inference graph, with the moving average of stage 1's weights, in evaluation mode
 * (unless stage2.trunk_dropout asks for the published code's behaviour). No gradient can reach it:
 * it has no backward pass. stage2_adam.c descends to the heads' weights on its features,
 * stage2_exact.c solves for them.
 */
#pragma once

#include "diffusion/time_bins.h"
#include "model/head.h"
#include "model/unet.h"
#include "train/batch.h"
#include "train/stages.h"

typedef struct Exact Exact;
typedef struct Stage2Correlation Stage2Correlation;

typedef struct Stage2 {
    Stage stage; /* first: the loop's callbacks get a pointer to it */
    Stage2Task task;
    Batch batch;
    char *name, *path;
    DType type;

    ParamSet trunk_params;
    float *trunk_weights;
    Graph *trunk_graph;
    UNet trunk;

    TimeBins bins;
    /* [batch]: the bins of the images drawn last. */
    int *bin;
    /* [batch, dims]: the output of the head that ran last, each image's in its bin. */
    float *output;
    Graph *graphs[MAX_LEARNERS];
    Head heads[MAX_LEARNERS];

    /* [batch, dims]: products with the trunk's Jacobian (train/stage2_products.h); NULL if no loss
     * reads them. */
    float *products;
    /* [batch, dims]: d loss / d output. NULL if the heads are solved for. */
    float *gradient;
    /* NULL if Adam fits. */
    Exact *exact;
    /* The correlations beside a head; NULL: not fitted yet, or not wanted. */
    Stage2Correlation *correlation;
} Stage2;

/* The trunk, the data and the heads of a task. The stage cannot be stepped until one of the two
 * functions below has made it fit. If building fails, `*s` is set all the same, for stage_free. */
bool stage2_build(Stage2 **s, const Config *config, const char *run, const Stage2Task *task,
                  Error *error);
void stage2_release(Stage *stage);

/* After batch_draw to the trunk's inputs: runs the trunk, and finds every image's bin. */
bool stage2_run_trunk(Stage2 *s, uint32_t step, Error *error);

/* The batch drawn last, as the losses see it. After stage2_run_trunk. */
ObjectiveBatch stage2_objective_batch(const Stage2 *s);

/* After stage2_run_trunk: runs head i with `weights` (layout: its learner's params) into
 * s->output. */
bool stage2_run_head(Stage2 *s, int i, const float *weights, uint32_t step, Error *error);

/* Writes the trunk and the bins; and checks that a checkpoint has the same trunk, or it is an input
 * error. */
bool stage2_write_common(Stage2 *s, CheckpointWriter *writer, Error *error);
bool stage2_check_common(Stage2 *s, Checkpoint *checkpoint, Error *error);

/* Prepares s for one way of fitting, and describes it in s->stage. */
bool stage2_adam_begin(Stage2 *s, Error *error);
bool stage2_exact_begin(Stage2 *s, Error *error);
