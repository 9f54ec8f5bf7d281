// A one-time initialisation asks for what it initialises.
#include <cstdio>
#include <mutex>

static std::once_flag loaded;
static int limit;

__attribute__((noinline)) static int get_limit() {
    std::call_once(loaded, [] { limit = get_limit() + 1; });
    return limit;
}

int main() { std::printf("%d\n", get_limit()); }
