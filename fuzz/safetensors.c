/* Weights in safetensors. If the table of tensors is accepted, small tensors are read. */
#include "fuzz/target.h"

void fuzz_safetensors(const uint8_t *bytes, size_t size)
{
    fuzz_read_weights(fuzz_file("x.safetensors", bytes, size));
}
