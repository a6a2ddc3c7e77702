/* What HDF5 prints about errors, turned off and on again.
 *
 * hdf5_open and hdf5_create turn it off for good, which suits a program: it says in one line itself
 * what is wrong. Whoever is a guest in a process calls these two around its work.
 */
#pragma once

#include <stdbool.h>

/* The handler of HDF5's errors that was there. */
typedef struct Hdf5Messages {
    bool has_old_form; /* a handler of the form that HDF5 had before version 1.8 */
    void (*handler)(void);
    void *context;
} Hdf5Messages;

/* HDF5 prints nothing from here on, in this thread where HDF5 knows threads. Returns what was
 * there. */
Hdf5Messages hdf5_messages_off(void);

/* Has HDF5 call the handler again. */
void hdf5_messages_restore(Hdf5Messages messages);
