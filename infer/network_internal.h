/* Private to the network: network_open.c reads it from files, network.c runs it. */
#pragma once

#include "model/head.h"
#include "model/unet.h"
#include "network.h"
#include "nn/graph.h"

typedef struct NetworkHead {
    char *name;    /* "sn" */
    char *path;    /* its checkpoint */
    Config config; /* of that checkpoint: the type of head may differ between files */
    ParamSet params;
    float *weights; /* [params.size] */
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
    NetworkHead heads[NETWORK_MAX_HEADS];
    int head_count;
    double *ms_eps; /* [N + 1] or NULL */

    DType type; /* of the graphs */
    int max_batch;
    int batch; /* of the graphs; 0 before network_prepare */
    Graph *graph;
    UNet unet;
    double *times; /* [batch]: what the network is told */
};

void network_release_graphs(Network *network);
