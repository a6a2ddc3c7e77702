/* What the leak sanitizer asks of a program that was built with it (make SANITIZE=address).
 *
 * fontconfig, which draws the letters of charts, keeps memory until the process ends. That is no leak of ours. The
 * answers are the program's: a library that gave them would take them from whoever links it.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
