package executor_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/executor/program/kinds/kindtest"
	"github.com/bucketmill/bucketmill/job"
)

// A new kind needs a folder and a line in the table: with the line of package kindtest, a file of
// that kind is recognized, and its job runs from submission to output.
func TestKindThatIsOnlyALineInTheTable(t *testing.T) {
	table := slices.Insert(kinds.All(), 0, kindtest.Kind)
	c := newIdleCluster(t)
	c.boss(func(cfg *controller.Config) { cfg.Kinds = table.Jobs() })
	c.executor("e", forEver, func(cfg *executor.Config) { cfg.Kinds = table })

	var list strings.Builder
	for n := range words {
		fmt.Fprintf(&list, "word%d\n", n+1)
	}
	if err := os.WriteFile(c.path("known.words"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	kind, err := kinds.Detect(table, c.path("known.words"))
	if err != nil || kind.Name != kindtest.Kind.Name || table.Jobs().OfFile("known.words").Name != kindtest.Kind.Name {
		t.Fatalf("the file is of kind %v, %v", kind, err)
	}
	sum := sha256.Sum256([]byte(list.String()))
	spec := c.spec(2)
	spec.Program, spec.Kind = "known.words", kind.Name
	spec.Artifact = &job.Artifact{
		Key: strings.TrimPrefix(c.path("known.words"), "/"), SHA256: hex.EncodeToString(sum[:]), Size: int64(list.Len()),
	}
	c.completed(c.submitSpec(spec))
}
