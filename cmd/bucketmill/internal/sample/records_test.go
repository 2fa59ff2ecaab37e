package sample

import (
	"fmt"
	"regexp"
	"testing"
)

func TestRecordsHaveTheLayoutOfGensort(t *testing.T) {
	layout := regexp.MustCompile(`^[ -~]{10}  ([0-9A-F]{32})  [0-9A-F]{52}\r\n$`)
	data := generate(t, NewRecords(1), 3000*RecordLen, 1)[0]
	if len(data) != 3000*RecordLen {
		t.Fatalf("%d bytes", len(data))
	}
	var low, high int
	for i := range 3000 {
		record := data[i*RecordLen : (i+1)*RecordLen]
		fields := layout.FindSubmatch(record)
		if fields == nil || string(fields[1]) != fmt.Sprintf("%032X", i) {
			t.Fatalf("record %d is %q", i, record)
		}
		if record[0] < ' '+95/2 {
			low++
		} else {
			high++
		}
	}
	if low < 1350 || high < 1350 {
		t.Errorf("%d keys begin in the lower half of the characters, %d in the upper one", low, high)
	}
}
