package input

import (
	"reflect"
	"testing"
)

// TestPagesKeepNames encodes names of any bytes.
func TestPagesKeepNames(t *testing.T) {
	var tasks []Task
	for _, name := range []string{"file:///a", "file:///b\xff", "file:///b\xfe", "file:///b\ufffd", "s3://b//\x01\u2028<&>", "s3://b/\xed\xa0\x80"} {
		tasks = append(tasks, Task{{Input: name, Size: 9, Length: 4, ETag: "x"}, {Input: name, Size: 9, Offset: 4, Length: 5, ETag: "x"}})
	}
	tasks = append(tasks, Task{}) // of inputs that are all empty
	data, err := EncodePage(tasks)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePage(data)
	if err != nil || !reflect.DeepEqual(got, tasks) {
		t.Errorf("got %q, %v", got, err)
	}
}
