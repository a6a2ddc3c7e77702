/* A network of another program: found, understood, and read as ours.
 *
 *     ForeignNetwork network;
 *     ok = foreign_open(&network, &options, error)
 *     ... network.config describes it, network.params lists its tensors under our names ...
 *     ok = foreign_read(&network, weights, error)
 *     foreign_close(&network);
 *
 * Opening compares all names and shapes with those that the description demands. Choices that a
 * file does not settle are collected as notes, which the caller shows when all went well.
 */
#pragma once

#include "config/config.h"
#include "engine/params.h"
#include "exchange/foreign_notes.h"
#include "exchange/names.h"
#include "exchange/tensor_table.h"

typedef struct ForeignOptions {
    /* A file of weights, or a folder of diffusers. */
    const char *path;
    /* A description beside the weights: diffusers' JSON, ddim's YAML. NULL: the one that is found. */
    const char *config;
    /* A text file with the betas that the network was trained with; NULL: those of the description. */
    const char *betas;
    /* The names that are expected; NAMES_UNKNOWN: those that are found. */
    NameStyle style;
    /* What the network is told; -1: what its program tells it. */
    int time;
    /* Of the images; 0: as described, or guessed. */
    int64_t resolution;
    /* What the variance head in the file estimates, "npr" or "sn"; NULL: nobody says it. */
    const char *head;
} ForeignOptions;

typedef struct ForeignNetwork {
    TensorFile *file;
    int group;
    NameStyle style;
    /* Whether the rows of queries, keys and values lie head by head there. */
    bool heads_first;
    /* Whether the file has a variance head. */
    bool has_head;
    Config config;
    /* Under our names. */
    ParamSet params;
    /* [params.count]: the tensor of the file for each; several may be parts of one. */
    int *tensors;
    /* The same of the variance head that the file has beside the network; without one the count is
     * 0. config.head.type is its type. */
    ParamSet head;
    int *head_tensors;
    /* Choices that the file did not settle, each a line for note(). */
    ForeignNotes notes;
} ForeignNetwork;

/* After a failure of this function, nothing is to be closed. */
bool foreign_open(ForeignNetwork *network, const ForeignOptions *options, Error *error);
void foreign_close(ForeignNetwork *network);

/* weights [params.size] and head [head.size] := the weights, in one pass over the file. All are
 * finite. `head` may be NULL where the file has no head. */
bool foreign_read(ForeignNetwork *network, float *weights, float *head, Error *error);
