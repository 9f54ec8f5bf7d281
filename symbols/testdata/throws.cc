// Exceptions, destructors and overloads: landing pads and C++ names.
#include <stdexcept>
#include <string>
#include <vector>

volatile int sink;

namespace shop {
struct Guard {
  int n;
  explicit Guard(int n) : n(n) {}
  ~Guard() { sink = n; }
};

template <typename T> struct Basket {
  std::vector<T> items;
  __attribute__((noinline)) void add(const T &item) {
    if (items.size() > 2) throw std::runtime_error("full");
    items.push_back(item);
  }
};

__attribute__((noinline)) void fill(Basket<std::string> &b) {
  Guard g(7);
  for (int i = 0; i < 5; i++) b.add(std::to_string(i));
}

__attribute__((noinline)) void die(int *p) { *p = 1; sink = 1; }
} // namespace shop

int main() {
  shop::Basket<std::string> b;
  try {
    shop::fill(b);
  } catch (const std::exception &e) {
    sink = e.what()[0];
    shop::die(nullptr);
  }
  return 0;
}
