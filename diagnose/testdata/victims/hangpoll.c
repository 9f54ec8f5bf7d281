// It looks again and again for a file that nobody makes.
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) static void wait_for(const char *path) {
    while (access(path, F_OK) != 0) usleep(10000);
}

int main(void) {
    wait_for("/nonexistent/ready");
    puts("ready");
}
