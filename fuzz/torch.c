/* Weights of PyTorch, in a zip archive or in the older format. If the table of tensors is accepted,
 * small tensors are read. */
#include "exchange/tensor_table.h"
#include "fuzz/target.h"

#include "base/memory.h"

/* Numbers of a tensor that is read. */
enum { MOST_NUMBERS = 100000 };

static void read_tensor(TensorFile *file, int index)
{
    const Tensor *tensor = &tensor_file_table(file)->tensors[index];
    Error error = {0};
    if (tensor->count > MOST_NUMBERS)
        return;
    float *to = memory_small((size_t)tensor->count + 1, sizeof *to);
    const TensorWish wish = {.tensor = index, .to = to};
    if (!tensor_file_read(file, &wish, 1, &error))
        fuzz_check_error(&error);
    memory_free(to);
}

void fuzz_read_weights(const char *path)
{
    enum { MOST_TENSORS = 50 };
    Error error = {0};
    TensorFile *file;
    if (!tensor_file_open(&file, path, &error)) {
        fuzz_check_error(&error);
        return;
    }
    const TensorTable *table = tensor_file_table(file);
    if (table->tensor_count < 1 || table->group_count < 1)
        fuzz_broken("an accepted file has tensors");
    for (int i = 0; i < table->tensor_count && i < MOST_TENSORS; i++)
        read_tensor(file, i);
    tensor_file_close(file);
}

void fuzz_torch(const uint8_t *bytes, size_t size)
{
    fuzz_read_weights(fuzz_file("x.pt", bytes, size));
}
