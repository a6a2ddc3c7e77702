/* Why a call of the HDF5 library failed, in one line.
 *
 * The library keeps a stack of errors, in words that differ between its versions. Version 1.14
 * leaves out the message of a filter, so that a wrong checksum cannot be recognised by "Fletcher32"
 * in the text. It is recognised by the number of the error, a failing filter, and by the filters of
 * the data set. */
#include "hdf5/hdf5_internal.h"

#include <stdio.h>
#include <string.h>

Hdf5Place hdf5_place(const Hdf5File *file, const char *name)
{
    Hdf5Place place;
    snprintf(place.text, sizeof place.text, "%s:/%s", file->path, name + (name[0] == '/'));
    return place;
}

/* Found on the walk through the stack of errors. */
typedef struct Stack {
    Hdf5Reason innermost;
    bool filter_failed;
} Stack;

/* The walk begins at the innermost function, whose description is the real reason. */
static herr_t look_at(unsigned index, const H5E_error2_t *entry, void *data)
{
    Stack *stack = data;
    if (index == 0 && entry->desc != NULL)
        snprintf(stack->innermost.text, sizeof stack->innermost.text, "%s", entry->desc);
    if (entry->maj_num == H5E_PLINE && entry->min_num == H5E_READERROR)
        stack->filter_failed = true;
    return 0;
}

static Stack walk_stack(void)
{
    Stack stack = {.innermost = {"HDF5 gives no reason"}};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_at, &stack);
    return stack;
}

Hdf5Reason hdf5_reason(void)
{
    return walk_stack().innermost;
}

/* Whether reading begins with the comparison of a checksum. Filters are applied from the last to
 * the first, so fletcher32 must be the last. A filter that this build of the library lacks fails
 * too, which is no damage. */
static bool begins_with_checksum(hid_t dataset)
{
    if (H5Iget_type(dataset) != H5I_DATASET)
        return false;
    hid_t creation = H5Dget_create_plist(dataset);
    const int count = H5Pget_nfilters(creation);
    H5Z_filter_t filter = H5Z_FILTER_NONE;
    bool all_there = true;
    for (int i = 0; i < count; i++) {
        unsigned flags = 0;
        size_t values = 0;
        filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL);
        all_there = all_there && H5Zfilter_avail(filter) > 0;
    }
    H5Pclose(creation);
    return all_there && filter == H5Z_FILTER_FLETCHER32;
}

Hdf5Reason hdf5_reason_of_reading(hid_t id)
{
    Hdf5Reason reason;
    const Stack stack = walk_stack(); /* the next call would clear it */
    if (stack.filter_failed && begins_with_checksum(id))
        snprintf(reason.text, sizeof reason.text,
                 "its checksum is wrong: the file was damaged after it was written");
    else
        snprintf(reason.text, sizeof reason.text, "cannot be read (%.140s)", stack.innermost.text);
    return reason;
}

bool hdf5_was_read(const Hdf5File *file, const char *name, hid_t id, herr_t status, Error *error)
{
    Hdf5Reason reason = {""};
    if (status < 0)
        reason = hdf5_reason_of_reading(id);
    if (!hdf5_is_whole(file, error))
        return false;
    return status >= 0 || error_input(error, "%s: %s", hdf5_place(file, name).text, reason.text);
}

bool hdf5_written(Hdf5File *file, const char *name, bool ok, Error *error)
{
    if (file->write_errno != 0)
        return error_runtime(error, "%s: cannot be written: %s", file->path,
                             strerror(file->write_errno));
    if (!ok)
        return error_runtime(error, "%s: cannot be written: %s", hdf5_place(file, name).text,
                             hdf5_reason().text);
    return true;
}
