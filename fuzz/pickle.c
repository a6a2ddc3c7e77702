/* Python's pickles, as they lie inside PyTorch's files: the reader alone, so that the search reaches
 * its instructions at once. The size of what was read must be sound. */
#include "exchange/pickle.h"
#include "fuzz/target.h"

void fuzz_pickle(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Pickle *pickle = NULL;
    size_t used = 0;
    if (!pickle_read(&pickle, bytes, size, &used, "x.pkl", &error))
        fuzz_check_error(&error);
    else if (used < 1 || used > size)
        fuzz_broken("a pickle ends inside of its bytes");
    else if (!pickle_root(pickle))
        fuzz_broken("a pickle that was read has a value");
    pickle_free(pickle);
}
