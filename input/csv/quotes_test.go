package csv

import "testing"

// FuzzQuotes compares a walk in steps of any length with the states of Python's csv module, byte by
// byte.
func FuzzQuotes(f *testing.F) {
	for _, s := range []string{
		`"a","b ""c""",d"e"`, "5\" pipe,\"x\r\n,\"\"\"\r\"y\nz\",", `""""`, `"""x"" y" z","`, "a\r\"b", `,"",""`, `"a"b"c`, "\"",
		`1234567","1234567""12345678"`,
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		const startField, inField, inQuotes, quoteInQuotes = 0, 1, 2, 3
		var q quotes
		state, walked := startField, 0
		for i, b := range data {
			switch {
			case state == inQuotes && b == '"':
				state = quoteInQuotes
			case state == inQuotes:
			case (state == startField || state == quoteInQuotes) && b == '"':
				state = inQuotes
			case b == ',' || b == '\n' || b == '\r':
				state = startField
			default:
				state = inField
			}
			if i-walked < int(step) && i+1 < len(data) {
				continue
			}
			q = q.walk(data, walked, i+1)
			if walked = i + 1; q.open != (state == inQuotes) {
				t.Fatalf("%q is open: %v", data[:walked], q.open)
			}
		}
	})
}
