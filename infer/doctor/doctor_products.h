/* The products of a recipe's networks, which are checked when the networks are made. */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "engine/dtype.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct DoctorNetworks {
    /* The least memory of training, in bytes: stage 1 with weights and optimiser. */
    size_t training_bytes;
    /* Why a network could not be made; ERROR_NONE: it could. */
    Error stage1, stage2, evaluation;
} DoctorNetworks;

/* Makes the networks of both stages in `type` with their batches, and the network of evaluation
 * in float32 with batches of 64, and frees each before the next. False if one could not be made. */
bool doctor_make_networks(const Config *config, DType type, DoctorNetworks *result);

/* Prints the number of checked products and the implementation of each kind, or (`all`) of each
 * product. Returns the number of products with an implementation left out. */
int doctor_print_products(bool all);

/* *speed := the speed of a 3x3 convolution of 128 channels on 16 images of 32 x 32, in
 * operations per second. */
bool doctor_time_convolution(DType type, double *speed, Error *error);
