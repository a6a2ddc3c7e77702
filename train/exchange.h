/* The sum of a learner's gradient over the processes, which begins while the backward pass goes on.
 *
 * The gradient is cut into pieces. A piece is sent (base/group_flow.h) as soon as the backward pass
 * has completed it. The last layers of the network come first, and most of the sum is done by the
 * time that the first layers have their gradients.
 *
 * A group of one has no exchange: NULL, which all functions take.
 */
#pragma once

#include "base/error.h"
#include "base/group_flow.h"
#include "engine/graph_tell.h"

typedef struct Exchange Exchange;

/* For the flat array `gradients` [size], whose numbers are `numbers` on their way; NULL in a group of
 * one. All processes call it. */
bool exchange_make(Exchange **exchange, float *gradients, size_t size, FlowNumbers numbers,
                   Error *error);
void exchange_free(Exchange *exchange);

/* From now on graph_backward begins the exchange of these gradients. */
void exchange_follow(Exchange *exchange, Graph *graph);

/* Begins what has not begun, and waits: the gradients are then the sums. To be called after every
 * backward pass by all processes, even where the pass has failed in some: others wait for them. */
void exchange_finish(Exchange *exchange);
