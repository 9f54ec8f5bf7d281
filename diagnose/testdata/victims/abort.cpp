// An exception that nobody catches.
#include <stdexcept>
#include <string>
__attribute__((noinline)) int port(const std::string &s) {
	int p = std::stoi(s);
	if (p > 65535) throw std::out_of_range("port " + s + " is too large");
	return p;
}
int main() { return port("70000"); }
