// Upper-casing a string constant in place.
#include <ctype.h>
#include <stdio.h>
__attribute__((noinline)) void upper(char *s) { for (; *s; s++) *s = (char)toupper(*s); }
int main(void) { char *s = "constant"; upper(s); puts(s); }
