/* Reads and sets the handler that HDF5 calls when one of its functions fails: HDF5's own, which
 * prints a stack of calls, or the program's.
 *
 * There are handlers of two forms, each with functions of its own. If HDF5 was built without
 * deprecated functions, it has no handlers of the old form. */
#include "hdf5/hdf5_messages.h"

#include "hdf5/hdf5_internal.h"

#include <stddef.h>

static bool has_old_form(void)
{
    unsigned is_new = 1;
    return H5Eauto_is_v2(H5E_DEFAULT, &is_new) >= 0 && !is_new;
}

Hdf5Messages hdf5_messages_off(void)
{
    Hdf5Messages messages = {.has_old_form = has_old_form()};
    if (messages.has_old_form) {
#ifndef H5_NO_DEPRECATED_SYMBOLS
        H5E_auto1_t handler = NULL;
        H5Eget_auto1(&handler, &messages.context);
        messages.handler = (void (*)(void))handler;
#endif
    } else {
        H5E_auto2_t handler = NULL;
        H5Eget_auto2(H5E_DEFAULT, &handler, &messages.context);
        messages.handler = (void (*)(void))handler;
    }
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return messages;
}

void hdf5_messages_restore(Hdf5Messages messages)
{
    if (!messages.has_old_form)
        H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)messages.handler, messages.context);
#ifndef H5_NO_DEPRECATED_SYMBOLS
    else
        H5Eset_auto1((H5E_auto1_t)messages.handler, messages.context);
#endif
}
