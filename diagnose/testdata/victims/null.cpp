// A method on an object that the map does not have.
#include <iostream>
#include <map>
#include <memory>
#include <string>
struct Session {
	std::string user;
	long hits = 0;
	virtual ~Session() = default;
	virtual long touch() { return ++hits; }
};
static std::map<std::string, std::unique_ptr<Session>> sessions;
__attribute__((noinline)) Session *lookup(const std::string &k) { return sessions[k].get(); }
__attribute__((noinline)) long serve(const std::string &k) { return lookup(k)->touch(); }
int main() { std::cout << serve("unknown") << "\n"; }
