/* What the two ways to fit a variance head share: the frozen trunk, the heads, the checkpoint.
 *
 * The trunk is an inference graph, with the moving average of stage 1's weights, in evaluation mode
 * (unless stage2.trunk_dropout asks for the published code's behaviour). No gradient can reach it: it has
 * no backward pass. stage2_adam.c descends to the heads' weights on its features, stage2_exact.c
 * solves for them.
 */
#pragma once

#include "diffusion/time_bins.h"
#include "model/head.h"
#include "model/unet.h"
#include "train/batch.h"
#include "train/stages.h"

typedef struct Exact Exact;

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
    int *bin;      /* [batch]: of the images drawn last */
    float *output; /* [batch, dims]: a head's, of the bins that count */
    Graph *graphs[MAX_LEARNERS];
    Head heads[MAX_LEARNERS];

    float *gradient; /* [batch, dims]: with respect to `output`; Adam's alone */
    Exact *exact;    /* NULL where Adam fits */
} Stage2;

/* The trunk, the data and the heads of a task, in a stage that cannot be stepped yet: one of the two below makes it fit.
 * Where building fails, `*s` is there all the same, for stage_free. */
bool stage2_build(Stage2 **s, const Config *config, const char *run, const Stage2Task *task,
                  Error *error);
void stage2_release(Stage *stage);

/* After batch_draw to the trunk's inputs: runs the trunk, and finds every image's bin. */
bool stage2_run_trunk(Stage2 *s, uint32_t step, Error *error);

/* After that: runs head i with the weights of its learner; `output` is what it gives. */
bool stage2_run_head(Stage2 *s, int i, const float *weights, uint32_t step, Error *error);

/* The trunk and the bins, as a checkpoint holds them; and whether one has the same trunk. */
bool stage2_write_common(Stage2 *s, CheckpointWriter *writer, Error *error);
bool stage2_check_common(Stage2 *s, Checkpoint *checkpoint, Error *error);

/* Makes s ready to fit, and describes the fitting in s->stage. */
bool stage2_adam_begin(Stage2 *s, Error *error);
bool stage2_exact_begin(Stage2 *s, Error *error);
