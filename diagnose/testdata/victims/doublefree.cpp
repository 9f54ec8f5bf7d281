// A class with a raw pointer and no copy constructor.
#include <vector>
struct Buffer {
	char *p = new char[3000];
	~Buffer() { delete[] p; }
};
__attribute__((noinline)) void use(Buffer b) { b.p[0] = 1; }
int main() {
	std::vector<char> keep(100);
	Buffer b;
	use(b);
	return keep[0];
}
