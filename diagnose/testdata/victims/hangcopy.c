// No hang: it copies data that comes slowly, and says nothing.
#include <stdio.h>
#include <unistd.h>

static long received;

__attribute__((noinline)) static void copy(int from) {
    char buffer[64];
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0) received += n;
}

int main(void) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    if (fork() == 0) {
        while (getppid() != 1 && write(ends[1], "a little", 8) == 8) usleep(10000);
        return 0;
    }
    close(ends[1]);
    copy(ends[0]);
    printf("%ld\n", received);
}
