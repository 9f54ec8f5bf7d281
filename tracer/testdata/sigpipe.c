// Writes to stdout for ever. With an argument it ignores SIGPIPE and tells of the error.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) signal(SIGPIPE, SIG_IGN);
    for (long i = 0; i < 100000000; i++)
        if (write(1, "a line\n", 7) < 0) {
            fprintf(stderr, "write: %s\n", strerror(errno));
            return 3;
        }
    return 0;
}
