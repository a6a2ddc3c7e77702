/* The check of the limit on memory that a program makes before its libraries initialise. */
#pragma once

/* Does nothing itself. A program that calls it is linked with the check, which ends the program
 * with one line and exit status 1 before main() begins, where the limit is too low. */
void memory_limit_start(void);
