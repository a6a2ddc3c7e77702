/* The products of a recipe's networks, made as training and evaluation make them, and so checked. */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "engine/dtype.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct DoctorNetworks {
    /* Bytes that training takes at the least: of stage 1, weights and optimiser included. */
    size_t training_bytes;
    /* Of the networks that could not be made; empty lines are none. */
    Error stage1, stage2, evaluation;
} DoctorNetworks;

/* Makes the networks of both stages with their batches in `type`, and of evaluation in float32 with
 * batches of 64, one after the other, and frees them again. False if any could not be made. */
bool doctor_make_networks(const Config *config, DType type, DoctorNetworks *result);

/* Prints how many products were checked, and which implementation each kind of them took; with `all`
 * each product. Returns how many of them had an implementation left out. */
int doctor_print_products(bool all);

/* The speed of a convolution, 3x3 of 128 channels on 16 images of 32 x 32: operations per second. */
bool doctor_time_convolution(DType type, double *speed, Error *error);
