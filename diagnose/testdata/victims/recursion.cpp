// A destructor chain as deep as the list is long.
#include <memory>
struct Node { std::unique_ptr<Node> next; long v[4]; };
int main() {
	std::unique_ptr<Node> head;
	for (int i = 0; i < 3000000; i++) {
		auto n = std::make_unique<Node>();
		n->next = std::move(head);
		head = std::move(n);
	}
	head.reset();
}
