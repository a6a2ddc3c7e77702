/* Weights of PyTorch, in a zip archive or in the older format. If the table of tensors is accepted,
 * small tensors are read. */
#include "exchange/tensor_table.h"
#include "fuzz/target.h"

#include "base/memory.h"

/* Tensors that are read, and numbers of each. */
enum { MOST_TENSORS = 50, MOST_NUMBERS = 100000 };

/* Reads the first small tensors of floats together, as an import does: several may lie in one storage. */
static void read_tensors(TensorFile *file)
{
    const TensorTable *table = tensor_file_table(file);
    TensorWish wishes[MOST_TENSORS];
    Error error = {0};
    int count = 0;
    for (int i = 0; i < table->tensor_count && count < MOST_TENSORS; i++) {
        const Tensor *tensor = &table->tensors[i];
        if (tensor->count <= MOST_NUMBERS && table->storages[tensor->storage].type < TENSOR_INT8)
            wishes[count++] = (TensorWish){
                .tensor = i, .to = memory_small((size_t)tensor->count + 1, sizeof(float))};
    }
    if (!tensor_file_read(file, wishes, count, &error))
        fuzz_check_error(&error);
    for (int i = 0; i < count; i++)
        memory_free(wishes[i].to);
}

void fuzz_read_weights(const char *path)
{
    Error error = {0};
    TensorFile *file;
    if (!tensor_file_open(&file, path, &error)) {
        fuzz_check_error(&error);
        return;
    }
    const TensorTable *table = tensor_file_table(file);
    if (table->tensor_count < 1 || table->group_count < 1)
        fuzz_broken("an accepted file has tensors");
    read_tensors(file);
    tensor_file_close(file);
}

void fuzz_torch(const uint8_t *bytes, size_t size)
{
    fuzz_read_weights(fuzz_file("x.pt", bytes, size));
}
