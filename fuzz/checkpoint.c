/* A checkpoint from anywhere: `infer info` describes it, and its network is opened. */
#include "base/memory.h"
#include "fuzz/target.h"
#include "infer/command.h"
#include "inference/network.h"

void fuzz_checkpoint(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    char *arguments[] = {(char *)"--quiet", (char *)"--verify",
                         (char *)fuzz_file("checkpoint.h5", bytes, size)};
    if (!info_command(3, arguments, &error))
        fuzz_check_error(&error);

    CommonOptions common;
    Network *network;
    common_defaults(&common);
    common.quiet = true;
    string_list_add(&common.network.source.checkpoints, arguments[2]);
    if (network_open(&network, &common.network, &error))
        network_close(network);
    else
        fuzz_check_error(&error);
    common_free(&common);
}
