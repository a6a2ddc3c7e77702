/* The start and the end of a program that mpirun may have started. Only programs are linked with
 * MPI: the library stays a group of one. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Joins the processes that mpirun has started; without mpirun it does nothing, and MPI is not even
 * initialised. After this call the processes but the first print nothing. An input error if mpirun
 * has started several processes of a program that was built without MPI. To be called after
 * program_start. */
bool group_mpi_start(Error *error);

/* Whether MPI is running. Then the process must not fork. */
bool group_mpi_is_running(void);

/* Leaves the group, at the end of main. Waits until all processes have come to their ends. Returns
 * whether all were `done`; if not, `error` is the error of the first that was not. If a process has
 * failed and the others do not come to their ends, because they wait for this one, the error is
 * printed as program_end does, under the name of the program, and all processes are ended. */
bool group_mpi_end(const char *program, bool done, Error *error);

/* The status with which this process exits, where the program has come to the status `code`. The first
 * process exits with `code`, which mpirun then exits with. The other processes exit with 0: at any other
 * status mpirun kills all processes, before the first one may have printed its error. */
int group_mpi_status(int code);
