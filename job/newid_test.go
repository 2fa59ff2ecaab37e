package job

import (
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
)

func TestNewID(t *testing.T) {
	before := ulid.Now()
	first, second := NewID(), NewID()
	id, err := ulid.ParseStrict(string(first))
	if err != nil || id.Time() < before || id.Time() > ulid.Now() || strings.ToLower(id.String()) != string(first) {
		t.Errorf("%s is not a ULID of now: %v", first, err)
	}
	if first == second || !first.Valid() {
		t.Errorf("%s and %s", first, second)
	}
}
