/* Private to the network: network_open.c reads it from files, network.c runs it. */
#pragma once

#include "engine/graph.h"
#include "inference/network.h"
#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

typedef struct NetworkHead {
    char *name;    /* "sn" */
    char *path;    /* its checkpoint */
    Config config; /* of that checkpoint: the type of head may differ between files */
    TimeBins bins; /* of that checkpoint, likewise */
    ParamSet params;
    size_t size;    /* how many weights there are */
    float *weights; /* [size] */
    Graph *graph;   /* NULL until the head is first evaluated */
    Head head;
} NetworkHead;

struct Network {
    char *origin;
    char *path; /* the checkpoint of the trunk */
    Config config;
    Schedule schedule;
    ParamSet params;
    float *weights; /* [params.size] */
    NetworkHead heads[PREDICTOR_MAX_HEADS];
    int head_count;
    double *ms_eps;     /* [N + 1] or NULL */
    float *ms_eps_diag; /* [N + 1, dims], NHWC, or NULL */
    Mixture mixture;    /* of the data; zeroed where they are none */
    char **files;       /* [file_count]: those that have this trunk, bit for bit */
    int file_count;
    bool is_run; /* origin is a run directory */

    DType type; /* of the graphs */
    int max_batch;
    int batch; /* of the graphs; 0 before network_prepare */
    Graph *graph;
    UNet unet;
    double *times; /* [batch]: what the network is told */
    int *bin;      /* [batch]: of a head that is being run */
};

void network_release_graphs(Network *network);

/* Whether a checkpoint has the trunk that is already there, bit for bit; where not, `difference`
 * says in what. `set`: the tensors that its configuration describes. Returns false only when the
 * checkpoint can't be read. */
bool network_compare_trunk(const Network *network, Checkpoint *checkpoint, const ParamSet *set,
                           bool *same, char *difference, size_t size, Error *error);
