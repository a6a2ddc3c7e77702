/* Private to the network: network_open.c reads it from files, network.c runs it. */
#pragma once

#include "engine/graph.h"
#include "inference/network.h"
#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

typedef struct NetworkHead {
    /* "sn" */
    char *name;
    /* Whether it is the second output of the trunk: then it has no weights and no graph. */
    bool is_output;
    /* The head's checkpoint, and its configuration and bins: both may differ between files. */
    char *path;
    Config config;
    TimeBins bins;
    ParamSet params;
    /* [size] */
    float *weights;
    size_t size;
    /* The correlations that were fitted with the head; matrix is NULL if there are none. */
    BlockCorrelation correlation;
    /* NULL until the head is first evaluated. */
    Graph *graph;
    Head head;
} NetworkHead;

struct Network {
    /* The run directory or the first file, as the user named it. */
    char *origin;
    bool is_run;
    /* The checkpoint of the trunk. */
    char *path;
    Config config;
    Schedule schedule;
    /* Of the trunk: weights [params.size]. */
    ParamSet params;
    float *weights;
    NetworkHead heads[PREDICTOR_MAX_HEADS];
    int head_count;
    /* [N + 1], and [N + 1, dims] in NHWC; NULL if no checkpoint has them. */
    double *ms_eps;
    float *ms_eps_diag;
    /* The data; zeroed if they are no mixture. */
    Mixture mixture;
    /* [file_count]: the checkpoints that have this trunk, bit for bit. */
    char **files;
    int file_count;

    /* Of the graphs. batch is 0 before network_prepare. */
    DType type;
    bool direct;
    int max_batch;
    int batch;
    Graph *graph;
    UNet unet;
    /* [batch]: the times that the network is told. */
    double *times;
    /* [batch]: the bins of a head that is being run. */
    int *bin;
};

/* Frees the graphs of the trunk and of all heads. network_prepare builds them again. */
void network_release_graphs(Network *network);

/* *same := whether a checkpoint has the network's trunk, bit for bit. If not, `difference`
 * [size] names the first difference. `set`: the tensors that the checkpoint's configuration
 * describes. Returns false only if the checkpoint can't be read. */
bool network_compare_trunk(const Network *network, Checkpoint *checkpoint, const ParamSet *set,
                           bool *same, char *difference, size_t size, Error *error);
