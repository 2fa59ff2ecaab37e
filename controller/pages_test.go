package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

func TestCutPages(t *testing.T) {
	for n, want := range []string{"", "0:1 ", "0:2 ", "0:3 ", "0:3 1:1 ", "0:3 1:2 ", "0:3 1:3 "} {
		got := ""
		for p := range cutPages(slices.Values(make([]input.Task, n)), 3) {
			got += fmt.Sprintf("%d:%d ", p.number, len(p.tasks))
		}
		if got != want {
			t.Errorf("%d tasks: got %s, want %s", n, got, want)
		}
	}
	for p := range cutPages(slices.Values(make([]input.Task, 3)), 2) {
		if len(p.tasks) != 2 {
			t.Errorf("the first page: %v", p)
		}
		break
	}
}
