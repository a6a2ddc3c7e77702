/* The input of `infer predict`, with the smallest network. */
#include "fuzz/target.h"
#include "infer/command.h"

#include <stdio.h>

void fuzz_predict(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    char input[128], output[128];
    snprintf(input, sizeof input, "%s", fuzz_file("input.h5", bytes, size));
    snprintf(output, sizeof output, "%s", fuzz_path("output.h5"));
    char *arguments[] = {(char *)"--quiet",
                         (char *)"--threads",
                         (char *)"1",
                         (char *)"--checkpoint",
                         (char *)fuzz_network(),
                         (char *)"--input",
                         input,
                         (char *)"--output",
                         output};
    if (!predict_command(sizeof arguments / sizeof arguments[0], arguments, &error))
        fuzz_check_error(&error);
}
