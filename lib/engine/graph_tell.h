/* Gradients, as soon as the backward pass has them. */
#pragma once

#include "engine/graph.h"

/* Called by graph_backward when the gradients `first` to first + count of the flat array are
 * complete, once for each: the last tensors of the network come first. */
typedef void GraphReady(void *context, size_t first, size_t count);

/* From now on graph_backward tells of the gradients while it works on; NULL: of none. */
void graph_tell(Graph *graph, GraphReady *ready, void *context);
