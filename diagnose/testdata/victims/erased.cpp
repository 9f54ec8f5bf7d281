// An iterator goes on from an element that was erased: what it finds is a link of the allocator, with an offset added.
#include <list>
#include <cstdio>
__attribute__((noinline)) int sum(std::list<int*>& l) { int s = 0; for (auto it = l.begin(); it != l.end(); ++it) { s += **it; l.erase(it); } return s; }
int main() { std::list<int*> l; for (int i = 0; i < 5; i++) l.push_back(new int(i)); printf("%d\n", sum(l)); }
