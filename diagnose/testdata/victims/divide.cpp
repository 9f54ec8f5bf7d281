// INT_MIN / -1 does not fit: SIGFPE without a zero.
#include <climits>
#include <cstdio>
__attribute__((noinline)) int ratio(int a, int b) { return a / b; }
int main(int argc, char **) { std::printf("%d\n", ratio(INT_MIN + argc - 1, -argc)); }
