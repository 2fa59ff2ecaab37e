package controller

import (
	"fmt"
	"slices"
	"testing"
)

func TestChunks(t *testing.T) {
	for n, want := range []string{"[]", "[[0]]", "[[0 1]]", "[[0 1 2]]", "[[0 1 2] [3]]", "[[0 1 2] [3 4]]", "[[0 1 2] [3 4 5]]"} {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		if got := fmt.Sprint(slices.Collect(chunks(slices.Values(all), 3))); got != want {
			t.Errorf("%d elements: got %s, want %s", n, got, want)
		}
	}
	for chunk := range chunks(slices.Values([]int{1, 2, 3}), 2) {
		if len(chunk) != 2 {
			t.Errorf("the first chunk: %v", chunk)
		}
		break
	}
}
