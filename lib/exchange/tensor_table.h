/* The named tensors of a file of weights: type, shape, strides, and the place of the numbers.
 *
 *     TensorFile *file;
 *     if (!tensor_file_open(&file, "model.safetensors", error))
 *         return false;
 *     ... find the tensors in tensor_file_table(file), check their shapes ...
 *     ok = tensor_file_read(file, wishes, count, error);
 *     tensor_file_close(file);
 *
 * The content decides which reader opens the file: safetensors, PyTorch's zip, or the format that
 * PyTorch wrote before version 1.6. Opening reads the names and checks that all tensors lie inside
 * the file. It reads no weights. Reading passes over the file once and writes each wanted tensor to
 * the caller's memory, so that weights are in memory once. Tensors with unusual strides are the
 * exception: the storage that they lie in is in memory too while it is read.
 *
 * A failure is an input error of one line. Nothing in a file is executed.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_MAX_RANK = 8, TENSOR_TABLE_LIMIT = 200000 };

typedef enum TensorType {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_F64,
    /* Integers and truth values of 1, 2, 4 and 8 bytes. They are listed, but are no weights. */
    TENSOR_INT8,
    TENSOR_INT16,
    TENSOR_INT32,
    TENSOR_INT64,
    TENSOR_TYPES
} TensorType;

/* "float16", a constant string; and bytes of a number. */
const char *tensor_type_name(TensorType type);
size_t tensor_type_size(TensorType type);

/* Numbers side by side in a file, which tensors are views of. */
typedef struct Storage {
    /* The name in the file; owned by the table. */
    char *key;
    TensorType type;
    /* Numbers. */
    int64_t count;
    /* For the reader: the offset of the first byte, or the index of a member of an archive. */
    int64_t place;
} Storage;

typedef struct Tensor {
    /* Owned by the table. */
    char *name;
    int group;
    int rank;
    int64_t shape[TENSOR_MAX_RANK];
    /* In numbers of the storage. */
    int64_t stride[TENSOR_MAX_RANK];
    /* Numbers: the product of the shape. */
    int64_t count;
    int storage;
    /* The first number, from the start of the storage. */
    int64_t offset;
} Tensor;

/* A dictionary of tensors. A file may have several: weights, their moving average, an optimizer. */
typedef struct TensorGroup {
    /* Its place in the file: "" for the whole, "[4]", "ema_models_states.model". Owned by the
     * table. */
    char *name;
    /* Its tensors are tensors[first] .. tensors[first + count - 1]. */
    int first, count;
} TensorGroup;

typedef struct TensorTable {
    TensorGroup *groups;
    int group_count;
    Tensor *tensors;
    int tensor_count;
    Storage *storages;
    int storage_count;
    /* [slot_count], a power of two: a hash table of the storages by key; 1 + an index, or 0. */
    int *slots;
    int slot_count;
    /* The recipe in a safetensors file that varhead wrote; NULL in others. Owned by the table. */
    char *recipe;
} TensorTable;

typedef enum TensorFormat { FORMAT_SAFETENSORS, FORMAT_TORCH_ZIP, FORMAT_TORCH_OLD } TensorFormat;

typedef struct TensorFile TensorFile;

/* Opens a file of weights; the caller closes *file. */
bool tensor_file_open(TensorFile **file, const char *path, Error *error);

/* Whether the first bytes of a file are those of a format that is read here. */
bool tensor_file_is_known(const char *path);

/* NULL is fine. */
void tensor_file_close(TensorFile *file);

/* These live as long as the file. */
const TensorTable *tensor_file_table(const TensorFile *file);
const char *tensor_file_path(const TensorFile *file);
/* "a safetensors file" */
const char *tensor_file_format_name(const TensorFile *file);

/* The index of the tensor `name` of a group, or -1. */
int tensor_find(const TensorTable *table, int group, const char *name);

/* Where a tensor is to be written: to [count of the tensor], row by row, as float32. */
typedef struct TensorWish {
    int tensor;
    float *to;
} TensorWish;

/* From now on `watch` is called while tensors are read, with the numbers since the last call. In the
 * end the sum is the numbers of all tensors that were read; a tensor with unusual strides counts when
 * it is complete. */
void tensor_file_watch(TensorFile *file, void (*watch)(void *context, int64_t numbers),
                       void *context);

/* Whether the numbers of a tensor are of a floating-point type; else an input error. */
bool tensor_file_has_floats(const TensorFile *file, int tensor, Error *error);

/* Reads tensors of any floating-point type. The wishes may be in any order. */
bool tensor_file_read(TensorFile *file, const TensorWish *wishes, int count, Error *error);

/* "[3, 128, 3, 3]" */
typedef struct ShapeText {
    char text[24 * TENSOR_MAX_RANK];
} ShapeText;
ShapeText tensor_shape_text(int rank, const int64_t *shape);
