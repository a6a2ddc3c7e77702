/* Private to lib/exchange: the formats behind tensor_table.h, and how they fill a table. */
#pragma once

#include "exchange/tensor_table.h"

/* A format: opens a file, and then gives the bytes of storages one after the other. */
typedef struct TensorReader {
    const char *name;
    /* Fills the table of `file`, whose path and size are set. */
    bool (*open)(TensorFile *file, Error *error);
    /* Goes to the first byte of a storage. Called in the order of Storage.place. */
    bool (*seek)(TensorFile *file, const Storage *storage, Error *error);
    /* Reads the next `size` bytes of that storage. */
    bool (*next)(TensorFile *file, void *bytes, size_t size, Error *error);
    void (*close)(TensorFile *file);
} TensorReader;

extern const TensorReader safetensors_reader, torch_zip_reader, torch_old_reader;

struct TensorFile {
    const TensorReader *reader;
    char *path;
    int64_t size;
    TensorTable table;
    /* NULL, or whom to tell about numbers that were read. */
    void (*watch)(void *context, int64_t numbers);
    void *watch_context;
    /* Owned by the reader. */
    void *state;
};

/* The index of the storage with this key, or -1. */
int table_find_storage(const TensorTable *table, const char *key);

/* The index of a new group, storage or tensor at the end of the table. Names are copied. */
int table_add_group(TensorTable *table, const char *name);
int table_add_storage(TensorTable *table, const char *key, TensorType type, int64_t count,
                      int64_t place);

/* Adds a tensor to the last group, after it has checked that the tensor is possible and lies inside
 * its storage. `tensor`: all but the name and the count. `path`: of the file, for messages. */
bool table_add_tensor(TensorTable *table, const char *path, const char *name, const Tensor *tensor,
                      Error *error);

/* Input error if a group has two tensors of one name. */
bool table_check_names(const TensorTable *table, const char *path, Error *error);

/* Reads `size` bytes at `offset` of an open file. */
bool read_at(int fd, const char *path, int64_t offset, void *bytes, size_t size, Error *error);
