// Closes its outputs early and works on; the exit status tells that it did.
#include <stdio.h>
#include <unistd.h>
int main(void) {
    puts("goodbye");
    fflush(stdout);
    close(1);
    usleep(20000);
    fputs("still here\n", stderr);
    close(2);
    usleep(20000);
    return 21;
}
