package program

import ("testing";"fmt")

func TestSmoke(t *testing.T) {
	fmt.Println(run(t, open(t,"wordcount"), lines("f", "a b a\nc a\n", 3)))
	fmt.Println(run(t, openSource(t, pythonWordCount, nil), lines("f", "a b a\nc a\n", 3)))
	_, err := mapAll(t, openSource(t, "\ndef map_fn(k, v):\n    yield 1/0, 2\n", nil), attempt(t), lines("f", "a b a\nc a\n", 3))
	fmt.Println(err)
	fmt.Println(wantUserError(t,err).Traceback)
}
