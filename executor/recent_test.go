package executor

import "testing"

func TestRecent(t *testing.T) {
	r := recent[string, int]{limit: 2}
	add := func(key string, value, wantOldest int, wantDropped bool) {
		t.Helper()
		if oldest, dropped := r.add(key, value); oldest != wantOldest || dropped != wantDropped {
			t.Errorf("adding %s drops %d, %t; want %d, %t", key, oldest, dropped, wantOldest, wantDropped)
		}
	}
	add("a", 1, 0, false)
	add("b", 2, 0, false)
	if value, ok := r.take("a"); value != 1 || !ok {
		t.Errorf("a is %d, %t", value, ok)
	}
	add("a", 3, 0, false)
	add("c", 4, 2, true) // b was added before a
	for key, want := range map[string]int{"a": 3, "b": 0, "c": 4} {
		if value, ok := r.get(key); value != want || ok != (want > 0) {
			t.Errorf("%s is %d, %t; want %d", key, value, ok, want)
		}
	}
	if _, ok := r.take("b"); ok {
		t.Error("b is taken twice")
	}
}
