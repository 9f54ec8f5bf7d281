// A list is freed node by node, each after its link was asked for too late.
#include <stdio.h>
#include <stdlib.h>

struct node {
	struct node *next;
	long value;
};
static struct node *head;

static void add(long value) {
	struct node *n = malloc(sizeof *n);
	n->value = value;
	n->next = head;
	head = n;
}

__attribute__((noinline)) void drop(void) {
	for (struct node *n = head; n; n = n->next)
		free(n);
}

int main(void) {
	for (int i = 0; i < 5; i++)
		add(i);
	drop();
	printf("%p\n", (void *)head);
	return 0;
}
