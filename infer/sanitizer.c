/* Answers to the leak sanitizer in a program that was built with it (make SANITIZE=address).
 *
 * cairo asks fontconfig for the font of a chart's labels. fontconfig never frees its records
 * of that font: 651 bytes in seven pieces on Debian 12. The suppression is as narrow as it can be:
 * these pieces were allocated in functions of libfontconfig that have no names.
 *
 * Programs and the test of charts link this file. It is not in the library: the answers would be
 * those of every program that links the library.
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
