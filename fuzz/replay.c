/* Runs a target on files, each in a process of its own. `replay TARGET FILE...` prints the files
 * that kill it. */
#include "fuzz/target.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const FuzzEntry *target = NULL;
    for (int i = 0; argc > 1 && i < fuzz_target_count; i++)
        if (strcmp(fuzz_targets[i].name, argv[1]) == 0)
            target = &fuzz_targets[i];
    if (target == NULL) {
        fprintf(stderr, "usage: replay TARGET FILE...\n");
        return 2;
    }
    int dead = 0;
    for (int i = 2; i < argc; i++)
        if (!fuzz_survives(target, argv[i])) {
            printf("%s: the %s reader does not survive it\n", argv[i], target->name);
            dead++;
        }
    printf("%d of %d files are survived\n", argc - 2 - dead, argc - 2);
    return dead > 0;
}
