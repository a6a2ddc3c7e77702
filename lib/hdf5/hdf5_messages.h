/* Turns off HDF5's own messages about errors, and on again.
 *
 * hdf5_open and hdf5_create turn them off for good, which suits a program: its own error is one
 * line. A library in the process of another program calls these two around its work.
 */
#pragma once

#include <stdbool.h>

/* The handler of HDF5's errors that was there. */
typedef struct Hdf5Messages {
    /* Whether the handler has the form of HDF5 before version 1.8. */
    bool has_old_form;
    void (*handler)(void);
    void *context;
} Hdf5Messages;

/* HDF5 prints nothing from here on (only in this thread, if HDF5 was built for threads). Returns
 * the former handler. */
Hdf5Messages hdf5_messages_off(void);

/* HDF5 calls the handler again. */
void hdf5_messages_restore(Hdf5Messages messages);
