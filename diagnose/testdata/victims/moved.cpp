// A pointer that was moved from is used: the optimiser knows that it is NULL and folds the field's offset in.
#include <cstdio>
#include <memory>

struct Pair {
	int a = 1, b = 2;
};

std::unique_ptr<Pair> give(std::unique_ptr<Pair> p) { return p; }

int main() {
	auto p = std::make_unique<Pair>();
	auto q = give(std::move(p));
	std::printf("%d\n", p->b + q->a);
}
