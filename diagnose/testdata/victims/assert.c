// A failed assertion names its place.
#include <assert.h>
__attribute__((noinline)) int check(int v) { assert(v > 2); return v; }
int main(int argc, char **argv) { (void)argv; return check(argc); }
