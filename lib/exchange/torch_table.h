/* Private to lib/exchange: the tensors in the object that PyTorch pickled. */
#pragma once

#include "exchange/pickle.h"
#include "exchange/tensor_reader.h"

enum {
    /* Bytes of a pickle that is read. */
    TORCH_MOST_PICKLE = 16 << 20
};

/* Adds every storage of the pickle to the table, also the storage of a tensor that has no name. */
bool torch_add_storages(TensorTable *table, const Pickle *pickle, const char *path, Error *error);

/* Adds every dictionary of tensors in `root` to the table as a group. Storages get the place -1,
 * and the size that the pickle claims; the reader checks the size and sets the place. `root` may be
 * such a dictionary itself, or hold them in dictionaries and lists. An input error if there is no
 * named tensor. Offsets and strides are checked against the claimed size. */
bool torch_fill_table(TensorTable *table, PickleValue *root, const char *path, Error *error);
