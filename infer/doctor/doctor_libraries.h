/* The outside libraries that the program runs with. */
#pragma once

/* "oneDNN 2.6.3, HDF5 1.10.8, ...": the versions that were loaded, which need not be those that the
 * program was compiled with. */
const char *doctor_libraries(void);
