// Writes 100 MB that a checksum can tell from any other 100 MB.
#include <stdint.h>
#include <stdio.h>
int main(void) {
    static uint32_t buf[16384];
    uint32_t x = 1;
    for (int i = 0; i < 1600; i++) {
        for (int j = 0; j < 16384; j++) buf[j] = x = x * 1664525 + 1013904223;
        if (fwrite(buf, 1, sizeof buf, stdout) != sizeof buf) return 1;
    }
    return 0;
}
