/* The names of CIFAR's classes, in a file of text beside the images. */
#pragma once

enum { CIFAR_MOST_CLASSES = 100 };

/* names [returned number] := the names of classes 0, 1, ..., each for memory_free: the lines of
 * batches.meta.txt (CIFAR-10) or fine_label_names.txt (CIFAR-100) in the directory or the archive `path`.
 * 0 if there is no such file. */
int cifar_class_names(const char *path, char *names[CIFAR_MOST_CLASSES]);
