// Writes to stdout and stderr in turn.
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char line[32];
    for (int i = 0; i < 2000; i++) {
        int n = snprintf(line, sizeof line, "line %d\n", i);
        if (write(i % 3 ? 1 : 2, line, n) != n) return 1;
    }
    return 0;
}
