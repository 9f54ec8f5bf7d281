// Dies of a store to address 0x10, in a function called by main.
#include <stdio.h>
struct s { long a, b, c; };
__attribute__((noinline)) void hit(struct s *p) { p->c = 42; }
int main(int argc, char **argv) {
    puts("before");
    fflush(stdout);
    hit(argc > 100 ? (struct s *)argv : 0);
    return 0;
}
