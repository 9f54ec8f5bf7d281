package report

import (
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

func TestWaitLines(t *testing.T) {
	r := &Report{
		Threads: []Stack{{TID: 1, Name: "srv", Role: "main"}, {TID: 2, Name: "pool"}},
		Waits: &Waits{
			Cycles: []Cycle{{Members: []Member{{Actor: ptr("users"), Function: ptr("find"), Text: ptr("waits for the answer of the service orders")},
				{Actor: ptr("orders"), Text: ptr("waits for the answer of the service users")}}}},
			Chains: []Chain{
				{Members: []Member{{TID: ptr(1), Text: ptr("waits for thread 2 to end")}, {TID: ptr(2), Text: ptr("reads from fd 3")}}, Sure: true, Waiters: 3},
				{Members: []Member{{TID: ptr(9), Text: ptr("waits for the mutex m")}}, EndedTID: ptr(7)},
			},
			Actors: []Actor{{Name: ptr("users"), State: "suspended"}, {Name: ptr("orders"), State: "suspended"}, {Name: ptr("mailer"), State: "never-ran"}},
		},
	}
	want := `a probable ring:
┌─▶ the actor users in find: waits for the answer of the service orders
│   the actor orders: waits for the answer of the service users
└── the actor users
a chain:
    thread 1 (srv), main: waits for thread 2 to end
└─▶ thread 2 (pool): reads from fd 3
    and 2 more behind thread 2
a probable chain:
    thread 9: waits for the mutex m
└─▶ thread 7, which has ended
actors: 1 that never ran, 2 suspended
never started: mailer`
	if got := strings.Join(waitLines(r), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
