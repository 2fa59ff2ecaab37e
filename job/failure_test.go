package job

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFailuresAreShortened(t *testing.T) {
	for name, text := range map[string]string{
		"plain":        strings.Repeat("0123456789", 1000),
		"quotes":       strings.Repeat(`"`, 10_000),
		"control":      strings.Repeat("\x01", 10_000),
		"not UTF-8":    strings.Repeat("\xff", 10_000),
		"wide":         strings.Repeat("世", 10_000),
		"line breaks":  strings.Repeat("\n", 10_000),
		"separators":   strings.Repeat("\u2028", 10_000),
		"mixed":        strings.Repeat("a世\"\xff\n<", 2_000),
		"just too big": strings.Repeat("x", maxLog+1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Failure{Class: ClassUser, Message: text, Detail: text, Record: text, Log: text}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if most := maxMessage + maxDetail + maxRecord + maxLog + 200; len(got) > most {
				t.Errorf("%d bytes, more than %d", len(got), most)
			}
			var f Failure
			if err := json.Unmarshal([]byte(got), &f); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(f.Message, ellipsis) || !strings.HasPrefix(f.Log, ellipsis) {
				t.Errorf("not marked as cut: %.20q, %.20q", f.Message, f.Log)
			}
			if utf8.ValidString(text) && (!strings.HasPrefix(text, strings.TrimSuffix(f.Message, ellipsis)) ||
				!strings.HasSuffix(text, strings.TrimPrefix(f.Log, ellipsis))) {
				t.Error("the wrong end was cut")
			}
		})
	}
}

func TestJSONSizeIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		raw := make([]byte, rng.IntN(40))
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		got, err := Failure{At: 1, Message: string(raw)}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		empty, err := Failure{At: 1}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for s := string(raw); s != ""; {
			r, n := utf8.DecodeRuneInString(s)
			want += jsonSize(r, n)
			s = s[n:]
		}
		if len(got)-len(empty) != want {
			t.Fatalf("%q takes %d bytes, counted %d", raw, len(got)-len(empty), want)
		}
	}
}

func TestShortFailuresStayWhole(t *testing.T) {
	text := strings.Repeat("x", maxMessage)
	if got := head(text, maxMessage); got != text {
		t.Errorf("head cut %d bytes", len(text)-len(got))
	}
	if got := tail(text, maxMessage); got != text {
		t.Errorf("tail cut %d bytes", len(text)-len(got))
	}
}
