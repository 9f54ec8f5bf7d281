// A function that fills in its argument only when all goes well, and a caller that does not ask.
#include <stdio.h>
#include <string.h>
struct conf { char *host; int port; };
__attribute__((noinline)) void load(struct conf *c, int ok) { if (ok) c->host = "h"; c->port = 1; }
__attribute__((noinline)) void dirty(void) { volatile long a[64]; for (int i = 0; i < 64; i++) a[i] = 0x4141414100 + i; }
__attribute__((noinline)) int use(void) { struct conf c; load(&c, 0); return (int)strlen(c.host) + c.port; }
int main(void) { dirty(); printf("%d\n", use()); return 0; }
