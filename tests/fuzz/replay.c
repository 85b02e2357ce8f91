// What: the main of corpus_NAME: hands each file of a directory to the fuzz target, in order of
// names. Why: what the fuzzer once found stays found, in every run of the units and without
// libFuzzer. Order: read the names, sort, one call each; the name of the file under way is printed
// by whoever aborts.
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char under_way[4096];

static void say_which(int number)
{
    (void)write(STDERR_FILENO, under_way, strlen(under_way));
    signal(number, SIG_DFL);
    raise(number);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// The copy has exactly the file's length, so that a sanitizer sees the first byte too many.
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        return -1;
    }
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    int result = fread(data, 1, (size_t)size, file) == (size_t)size ? 0 : -1;
    fclose(file);
    if (result == 0) {
        snprintf(under_way, sizeof under_way, "while reading %s\n", path);
        LLVMFuzzerTestOneInput(data, (size_t)size);
    }
    free(data);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[1], &entries, is_input, alphasort);
    if (count <= 0) {
        fprintf(stderr, "%s: no inputs\n", argv[1]);
        return 1;
    }
    signal(SIGABRT, say_which);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        failed += replay(path) < 0;
        free(entries[i]);
    }
    free(entries);
    printf("%d inputs, %d could not be read\n", count, failed);
    return failed ? 1 : 0;
}
